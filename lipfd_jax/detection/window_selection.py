"""Selection of windows to score: a bounded number spread over the faces, then more around suspicions."""

from collections.abc import Sequence

import numpy as np

from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.faces.fitness import find_fit_starts
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack
from lipfd_jax.preprocessing.paper_windows import spread_starts
from lipfd_jax.vocabulary import WINDOWS_PER_CLIP

CLIP_SECONDS = 8.0  # a training clip; that much of a face gets ten windows while the budget lasts
MIN_WINDOWS_PER_FACE = 3  # where the budget is spent, short-lived faces get none
MIN_SPACING_SECONDS = 0.4  # seconds between windows; closer ones are not refined


def select_windows(
    tracks: Sequence[FaceTrack], scan: Scan, settings: DetectionSettings
) -> tuple[list[np.ndarray], int]:
    """Selects the first windows of each track within `settings.max_windows`, or by `settings.stride`.

    They are spread evenly over all places where a window can be scored, the first and the last included:
    for a clip of up to 8 s and one face, exactly the ten windows of a record.

    Returns:
      Start frames of each track's windows, ascending, and the number of tracks left without any because the
      budget was spent.
    """
    times, fit = scan.times, [find_fit_starts(track, scan) for track in tracks]
    if settings.stride > 0:
        return [_step_evenly(starts, times, settings.stride) for starts in fit], 0
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    seconds = step * np.array([len(starts) for starts in fit], float)  # of each track that can be scored
    counts = _count_windows([len(starts) for starts in fit], seconds, settings.max_windows)
    left_out = sum(count == 0 < len(starts) for count, starts in zip(counts, fit, strict=True))
    return [spread_starts(starts, count) for starts, count in zip(fit, counts, strict=True)], left_out


def _count_windows(available: list[int], seconds: np.ndarray, windows: int) -> list[int]:
    """Numbers of windows per track: ten in 8 s within the budget; else a few each and the rest by length.

    Where the budget is too small for a few each, the longest tracks get them.
    """
    wanted = [
        min(count, max(WINDOWS_PER_CLIP, round(WINDOWS_PER_CLIP * lasting / CLIP_SECONDS)))
        for count, lasting in zip(available, seconds, strict=True)
    ]
    counts, left = [0] * len(available), windows
    for index in sorted(range(len(available)), key=lambda i: -seconds[i]):
        few = min(MIN_WINDOWS_PER_FACE, wanted[index])
        if few <= left:
            counts[index], left = few, left - few
    missing = np.array([w - c if c else 0 for w, c in zip(wanted, counts, strict=True)])
    share = min(1.0, left / max(int(missing.sum()), 1))
    return [count + int(more * share) for count, more in zip(counts, missing, strict=True)]


def _step_evenly(starts: np.ndarray, times: np.ndarray, stride: float) -> np.ndarray:
    if not len(starts):
        return starts
    wanted = np.arange(times[starts[0]], times[starts[-1]] + 1e-6, stride)
    return np.unique(starts[np.clip(np.searchsorted(times[starts], wanted - 1e-6), 0, len(starts) - 1)])


def refine_windows(
    track: FaceTrack, scan: Scan, starts: np.ndarray, suspicious: np.ndarray, limit: int
) -> np.ndarray:
    """Selects further windows halfway between neighbours of which one is suspicious.

    Pairs of which only one is suspicious come first, then the widest gaps.

    Args:
      starts: (n,) start frames scored so far, ascending.
      suspicious: (n,) bool, for each of them.
      limit: largest number of new windows.

    Returns:
      (m,) int64 new start frames, ascending.
    """
    times = scan.times
    gaps = times[starts[1:]] - times[starts[:-1]] if len(starts) > 1 else np.zeros(0)
    worth = np.flatnonzero((suspicious[1:] | suspicious[:-1]) & (gaps > MIN_SPACING_SECONDS))
    changing = suspicious[1:] != suspicious[:-1]
    order = sorted(worth, key=lambda i: (not changing[i], -gaps[i], i))
    fit = find_fit_starts(track, scan)
    found = []
    for index in order[:limit]:
        between = fit[(fit > starts[index]) & (fit < starts[index + 1])]
        if len(between):
            middle = (times[starts[index]] + times[starts[index + 1]]) / 2
            found.append(int(between[np.argmin(np.abs(times[between] - middle))]))
    return np.array(sorted(set(found)), np.int64)
