"""Frames and areas of face clips: which frames of a face are kept, in which clip, and what they show."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.faces.framing import Square, make_square, move_inside
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack
from lipfd_jax.preprocessing.paper_windows import WINDOW_SECONDS, pick_frames

HIGHEST_RATE = 31.0  # frames a second up to which all frames are kept
MARGIN = 0.05  # of the square's side, stored on each side of it


@dataclass(frozen=True)
class ClipPart:
    """Frames of one clip: n frames, m window starts."""

    numbers: np.ndarray  # (n,) int64: frame numbers, ascending
    starts: np.ndarray  # (m,) int64: indices of the frames with which a window can start
    picks: np.ndarray  # (m, 5) int64: indices of the frames of these windows


def choose_parts(bounds: np.ndarray, starts: np.ndarray, fps: float, seconds: float) -> list[ClipPart]:
    """Divides the windows of a face among clips of about equal length.

    Args:
      bounds: (frames + 1,) seconds; frame k is shown from entry k to entry k + 1.
      starts: (m,) int64: the frames with which a window can start, ascending, at least one.
      fps: the usual frames per second. Above HIGHEST_RATE those windows are kept that are 200 ms apart, and
        the ones that show only frames of these: at most about 25 frames a second.
      seconds: the longest clip.
    """
    windows = pick_frames(bounds, starts)
    if fps > HIGHEST_RATE:
        apart = _choose_apart(bounds[starts], WINDOW_SECONDS - 0.5 / fps)
        windows = windows[np.isin(windows, windows[apart]).all(axis=1)]
    first, last = bounds[windows[:, 0]], bounds[windows[:, -1]]
    count = max(int(np.ceil((last[-1] - first[0]) / seconds)), 1)
    edges = np.linspace(first[0], last[-1], count + 1)
    belongs = np.clip(np.searchsorted(edges, first, side="right") - 1, 0, count - 1)
    inside = (last < edges[belongs + 1]) | (belongs == count - 1)
    chosen = [windows[inside & (belongs == part)] for part in range(count)]
    return [_make_part(found) for found in chosen if len(found)]


def _choose_apart(times: np.ndarray, step: float) -> np.ndarray:
    """Returns indices of times that are at least a step apart, the first included."""
    chosen = [0]
    while (following := int(np.searchsorted(times, times[chosen[-1]] + step))) < len(times):
        chosen.append(following)
    return np.array(chosen)


def _make_part(windows: np.ndarray) -> ClipPart:
    numbers = np.unique(windows)
    picks = np.searchsorted(numbers, windows)
    return ClipPart(numbers, picks[:, 0], picks)


def find_squares(track: FaceTrack, seen: Scan, numbers: np.ndarray) -> np.ndarray:
    """Returns (n, 3) float64: left, top and side of the square of each frame, also of a track used whole."""
    boxes = track.boxes[numbers - track.frames[0]]
    squares = [move_inside(make_square(box, track.finder), seen.width, seen.height) for box in boxes]
    return np.array([(square.left, square.top, square.side) for square in squares])


def find_areas(part: ClipPart, squares: np.ndarray, width: int, height: int) -> np.ndarray:
    """Returns (n, 4) int64: left, top, width and height of the area to store of each frame.

    That is its square (n, 3) with a margin of 5 % on each side, and the squares of the windows that show it,
    as far as they are inside the picture.
    """
    grown = MARGIN * squares[:, 2:]
    corner, end = squares[:, :2] - grown, squares[:, :2] + squares[:, 2:] + grown
    middle = squares[part.picks[:, part.picks.shape[1] // 2]]
    for picked in part.picks.T:
        np.minimum.at(corner, picked, middle[:, :2])
        np.maximum.at(end, picked, middle[:, :2] + middle[:, 2:] + 1)  # a pixel for rounding
    size = np.array([width, height])
    begin = np.clip(np.floor(corner).astype(np.int64), 0, size - 1)
    stop = np.clip(np.ceil(end).astype(np.int64), begin + 1, size)
    return np.concatenate([begin, stop - begin], axis=1)


def to_square(values: np.ndarray) -> Square:
    """Returns a square of left, top and side."""
    left, top, side = map(float, values)
    return Square(left, top, side)
