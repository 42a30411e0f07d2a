"""What of a video can be judged, face by face, and why the rest can't."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lipfd_jax.detection.sound import Heard, runs, sound_reasons
from lipfd_jax.faces.mouths import MEASURES
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack

_SHORTEST = 0.2  # seconds; shorter stretches that are not judged are not worth a line


@dataclass(frozen=True)
class Stretch:
    """A piece of the video's time, in seconds from its first frame."""

    start: float
    end: float
    reason: str  # a key of `words.REASONS`


def whole_picture(scan: Scan) -> FaceTrack:
    """One track over the whole video for pictures that are taken as they are."""
    frames = np.arange(len(scan.times))
    boxes = np.tile([0.0, 0.0, scan.width, scan.height], (len(frames), 1))
    mouth = np.full((len(frames), MEASURES), np.nan, np.float32)
    return FaceTrack(frames, boxes, np.full(len(frames), ""), True, "none", mouth)


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
