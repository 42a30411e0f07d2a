"""Frozen pictures: frames that repeat the one before, as after a lost connection or in a paused recording."""

import cv2
import numpy as np

_SHORT_SIDE = 120  # pixels, about, of the grid on which frames are compared
_SAME = 4  # brightness, of 255, by which no pixel of a repeated frame differs; encoders refine it a little
_REFRESHED = 2.0  # mean difference at a key frame in the middle of a frozen picture, at most
_SIDES = 3  # repeated frames on both sides of such a key frame
_LONGEST = 0.3  # seconds; a picture that is repeated for longer is frozen


class StillMeter:
    """Compares each frame of a video with the one before."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._changes: list[tuple[float, float]] = []  # largest and mean difference to the frame before

    def add_frame(self, brightness: np.ndarray) -> None:
        """Adds the next frame: (height, width) uint8."""
        stride = max(1, min(brightness.shape) // _SHORT_SIDE)
        grid = np.ascontiguousarray(brightness[::stride, ::stride])
        before, self._before = self._before, grid
        if before is None or before.shape != grid.shape:
            self._changes.append((np.inf, np.inf))
        else:
            total = cv2.norm(grid, before, cv2.NORM_L1) / grid.size
            self._changes.append((cv2.norm(grid, before, cv2.NORM_INF), total))

    def find_frozen(self, bounds: np.ndarray) -> np.ndarray:
        """Returns (frames,) bool: frames of a picture that is shown unchanged for over 0.3 s.

        Args:
          bounds: (frames + 1,) seconds; frame k is shown from entry k to entry k + 1.
        """
        changes = np.array(self._changes).reshape(-1, 2)[: len(bounds) - 1]
        repeated = _bridge_refreshes(changes[:, 0] <= _SAME, changes[:, 1] <= _REFRESHED)
        frozen = np.zeros(len(repeated), bool)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], repeated, [False]])))
        for first, last in edges.reshape(-1, 2):
            if bounds[last] - bounds[first - 1] > _LONGEST:
                frozen[first - 1 : last] = True
        return frozen


def _bridge_refreshes(repeated: np.ndarray, similar: np.ndarray) -> np.ndarray:
    """Counts single frames that differ little, between repeated ones on both sides, as repeated."""
    found = repeated.copy()
    for k in np.flatnonzero(~repeated & similar):
        before, after = repeated[max(k - _SIDES, 0) : k], repeated[k + 1 : k + 1 + _SIDES]
        if len(before) == len(after) == _SIDES and before.all() and after.all():
            found[k] = True
    return found
