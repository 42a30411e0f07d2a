"""What of a video can be judged, face by face, and why the rest can't."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lipfd_jax.detection.hearing import STEP, Heard, runs, sound_reasons
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack

_SHORTEST = 0.2  # seconds; shorter stretches that are not judged are not worth a line
_LAGS = 0.4  # seconds by which sound and mouth are shifted against each other
_IN_STEP = 0.12  # seconds within which they count as together


@dataclass(frozen=True)
class Stretch:
    """A piece of the video's time, in seconds from its first frame."""

    start: float
    end: float
    reason: str  # a key of `words.REASONS`


@dataclass(frozen=True)
class Agreement:
    """How a mouth's motion follows the loudness of the sound."""

    correlation: float  # the best within 0.12 s of no shift; -1..1, NaN where nothing could be measured
    offset: float  # seconds by which the sound would have to be moved later to fit best
    gain: float  # how much better the correlation is with that offset


def whole_picture(scan: Scan) -> FaceTrack:
    """One track over the whole video for pictures that are taken as they are."""
    frames = np.arange(len(scan.times))
    boxes = np.tile([0.0, 0.0, scan.width, scan.height], (len(frames), 1))
    motion = np.full(len(frames), np.nan, np.float32)
    return FaceTrack(frames, boxes, np.full(len(frames), ""), True, "none", motion)


def boundaries(scan: Scan) -> np.ndarray:
    """(frames + 1,) float64: frame k is shown from entry k to entry k + 1, on the file's clock."""
    return np.append(scan.times, scan.end)


def with_sound(tracks: Sequence[FaceTrack], scan: Scan, heard: Heard | None) -> list[FaceTrack]:
    """The tracks with the reasons of the sound added where the picture gives none."""
    bounds = boundaries(scan)
    reasons = sound_reasons(heard, (bounds[:-1] + bounds[1:]) / 2)
    return [
        replace(track, unfit=np.where(track.unfit == "", reasons[track.frames], track.unfit))
        for track in tracks
    ]


def without_damage(tracks: Sequence[FaceTrack], scan: Scan) -> list[FaceTrack]:
    """The tracks with damaged frames marked: what a decoder made up there is nobody's picture."""
    return [
        replace(track, unfit=np.where(scan.spoilt[track.frames], "damaged", track.unfit)) for track in tracks
    ]


def not_judged(tracks: Sequence[FaceTrack], scan: Scan, heard: Heard | None) -> list[Stretch]:
    """The stretches in which no face can be judged, in order; also of sound beyond the picture's ends."""
    reasons = np.full(len(scan.times), "no_face", dtype="<U12")
    for track in reversed(tracks):  # the first has the last word
        free = reasons[track.frames] != ""
        reasons[track.frames[free]] = track.unfit[free]
    zero, bounds = scan.times[0], boundaries(scan) - scan.times[0]
    found = [
        Stretch(float(bounds[first]), float(bounds[last]), reason)
        for first, last, reason in runs(reasons)
        if reason and bounds[last] - bounds[first] >= _SHORTEST
    ]
    if heard is not None and heard.end > scan.end + 0.5:
        found.append(Stretch(float(bounds[-1]), heard.end - float(zero), "no_picture"))
    return found


def agreement(track: FaceTrack, scan: Scan, heard: Heard | None) -> Agreement:
    """Correlates the mouth's motion with the loudness of the sound, and finds the shift that fits best."""
    nothing = Agreement(float("nan"), 0.0, 0.0)
    known = ~np.isnan(track.motion)
    if heard is None or known.sum() < 25 or not len(heard.loudness):
        return nothing
    times = scan.times[track.frames]
    even = np.arange(times[0], times[-1], 0.04)
    motion = _levelled(np.interp(even, times[known], track.motion[known]))
    middles = heard.start + (np.arange(len(heard.loudness)) + 0.5) * STEP
    loudness = np.log10(heard.loudness + 1e-4)
    lags = np.round(np.arange(-_LAGS, _LAGS + 0.01, 0.04), 2)
    found = [_correlation(motion, _levelled(np.interp(even - lag, middles, loudness))) for lag in lags]
    near = np.abs(lags) <= _IN_STEP
    best = int(np.argmax(found))
    together = float(np.max(np.array(found)[near]))
    return Agreement(together, float(lags[best]), float(found[best] - together))


def _levelled(values: np.ndarray) -> np.ndarray:
    """Smoothed over 0.12 s, less the mean of the second around."""
    smooth = np.convolve(values, np.ones(3) / 3, mode="same")
    return smooth - np.convolve(smooth, np.ones(25) / 25, mode="same")


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread > 0 else 0.0
