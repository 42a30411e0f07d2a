"""Frames of paper windows, chosen by the time they are shown: five of them, 40 ms apart, at any frame rate.

At 25 frames a second these are five consecutive frames. A window never spans a hole in the picture, the seam
of two recordings, or frames that are unfit for another reason.
"""

from collections.abc import Sequence

import numpy as np

from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, WINDOWS_PER_CLIP

STEP_SECONDS = 0.04  # between the frames of a window
WINDOW_SECONDS = FRAMES_PER_WINDOW * STEP_SECONDS
_TOLERANCE = 0.005  # seconds by which times may be off: containers round them to milliseconds
LOWEST_RATE = 20.0  # frames a second, from which on a window shows at least four of them
_LONGEST_FRAME = 2 * STEP_SECONDS + _TOLERANCE  # seconds; a frame shown longer is followed by a hole


def pick_frames(bounds: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Returns (n, 5) int64: for each start frame (n,) those shown nearest to 0, 40, 80, 120 and 160 ms later.

    Args:
      bounds: (frames + 1,) seconds; frame k is shown from entry k to entry k + 1.
    """
    times = bounds[:-1]
    moments = times[starts][:, None] + STEP_SECONDS * np.arange(FRAMES_PER_WINDOW)
    after = np.clip(np.searchsorted(times, moments), 1, max(len(times) - 1, 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(moments - times[before] <= times[after] - moments, before, after)


def find_window_span(bounds: np.ndarray, frames: Sequence[int] | np.ndarray) -> tuple[float, float]:
    """Returns begin and end of a window's sound, seconds: as long as its frames are shown.

    That is until the fifth of consecutive frames ends, and else 200 ms.
    """
    return float(bounds[frames[0]]), find_sound_end(frames, bounds[frames[0]], bounds[frames[-1] + 1])


def find_sound_end(frames: Sequence[int] | np.ndarray, begin: float, end: float) -> float:
    """Returns the end of a window's sound, seconds, where its frames are shown from `begin` to `end`."""
    consecutive = frames[-1] - frames[0] == FRAMES_PER_WINDOW - 1 and len(set(frames)) == FRAMES_PER_WINDOW
    return float(end) if consecutive else float(begin) + WINDOW_SECONDS


def find_holes(bounds: np.ndarray) -> np.ndarray:
    """Returns (frames,) bool: frames that are shown for more than 80 ms, as the next ones are missing."""
    return np.diff(bounds) > _LONGEST_FRAME


def find_starts(bounds: np.ndarray, fit: np.ndarray, seams: Sequence[float] = ()) -> np.ndarray:
    """Returns (n,) int64: the frames at which a window can start.

    Args:
      bounds: (frames + 1,) seconds; frame k is shown from entry k to entry k + 1.
      fit: (frames,) bool: frames that may be in a window.
      seams: times at which another recording begins.
    """
    count = len(bounds) - 1
    if count < FRAMES_PER_WINDOW:
        return np.zeros(0, np.int64)
    last_middle = (bounds[-2] + bounds[-1]) / 2
    reach = (FRAMES_PER_WINDOW - 1) * STEP_SECONDS
    starts = np.flatnonzero(fit & (bounds[:-1] + reach < last_middle))
    picked = pick_frames(bounds, starts)
    lasts, different = picked[:, -1], 1 + (np.diff(picked, axis=1) > 0).sum(axis=1)
    broken = np.concatenate([[0], np.cumsum(~fit | find_holes(bounds))])
    recordings = np.searchsorted(np.asarray(seams, float), bounds[:-1] + _TOLERANCE)
    whole = (broken[lasts + 1] == broken[starts]) & (recordings[lasts] == recordings[starts])
    return starts[whole & (different >= _count_fewest(bounds))]


def _count_fewest(bounds: np.ndarray) -> int:
    """Fewest different frames of a window: a slow video has no more, in others they are missing."""
    return FRAMES_PER_WINDOW - 1 if np.median(np.diff(bounds)) <= 1 / LOWEST_RATE + _TOLERANCE / 10 else 1


def spread_starts(starts: np.ndarray, count: int = WINDOWS_PER_CLIP) -> np.ndarray:
    """Returns up to `count` of the possible window starts, spread evenly: the first and the last included."""
    if not len(starts):
        return starts
    return starts[np.unique(np.rint(np.linspace(0, len(starts) - 1, count)).astype(int))]
