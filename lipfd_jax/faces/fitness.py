"""Which frames of a face are fit for windows, and where windows can start."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack
from lipfd_jax.preprocessing.paper_windows import find_holes, find_starts


def find_flaws(scan: Scan) -> np.ndarray:
    """Returns (frames,) str: why no face in a frame can be scored; "" where one can.

    "clock": picture and sound contradict each other; "damaged": the frame, or one it depends on; "frozen":
    the picture stands still; "hole": the next frames are missing.
    """
    bounds = scan.boundaries()
    flaws = np.full(len(scan.times), "", dtype="<U12")
    flaws[:-1][find_holes(bounds)[:-1]] = "hole"
    flaws[scan.frozen] = "frozen"
    flaws[scan.damaged] = "damaged"
    for begin, end in scan.clock.undecided:
        flaws[(scan.times >= begin) & (scan.times < end)] = "clock"
    return flaws


def with_flaws(tracks: Sequence[FaceTrack], flaws: np.ndarray) -> list[FaceTrack]:
    """Returns the tracks with the flaws of frames (frames,), which prevail over other reasons."""
    return [
        replace(track, unfit=np.where(flaws[track.frames] == "", track.unfit, flaws[track.frames]))
        for track in tracks
    ]


def find_fit_starts(track: FaceTrack, scan: Scan) -> np.ndarray:
    """Returns (n,) int64: the frames that can start a window of frames fit for scoring."""
    first, last = int(track.frames[0]), int(track.frames[-1]) + 1
    end = scan.times[last] if last < len(scan.times) else scan.end
    bounds = np.append(scan.times[first:last], end)  # not of the whole video: it may have thousands of tracks
    return first + find_starts(bounds, track.unfit == "", scan.clock.joins)
