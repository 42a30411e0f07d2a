"""Scene cuts: frames differ from earlier ones, and most of the difference arises between two frames."""

import cv2
import numpy as np

_THUMBNAIL = (32, 18)  # width, height of the thumbnails compared
_COARSE = 72  # approximate pixels of a frame's shorter side that thumbnails are made of
_DIFFERENCE = 22.0  # the scene has changed if their mean difference, in 0..255, is at least this, ...
_LIKENESS = 0.7  # ... their correlation is below this, ...
_ABRUPT = 0.5  # ... and one step between frames causes this share of it: a camera pan is not a cut


class CutDetector:
    """Compares samples of a video, and the frames between them, as they come."""

    def __init__(self):
        self._sample: np.ndarray | None = None  # thumbnail of the latest sample
        self._thumbnails: list[np.ndarray] = []  # brightness of the latest sample and of the latest frame
        self._leap = 0.0  # largest change between frames since that sample

    def add_frame(self, brightness: np.ndarray) -> None:
        """Records how much a frame, (height, width) uint8, differs from the previous one."""
        self._thumbnails.append(_make_thumbnail(brightness))
        if len(self._thumbnails) > 1:
            self._leap = max(self._leap, cv2.norm(self._thumbnails[-2], self._thumbnails[-1], cv2.NORM_L1))
            del self._thumbnails[1:-1]  # the sample's and the latest

    def add_sample(self, frame: np.ndarray) -> bool:
        """Adds a sample; returns whether the scene has changed since the previous one.

        Args:
          frame: (height, width, 3) uint8, the latest frame passed to `add_frame`.
        """
        before, self._sample = self._sample, _make_thumbnail(frame).astype(np.float32)
        abrupt = self._close_interval()
        return before is not None and abrupt and _shows_other_scene(before, self._sample)

    def _close_interval(self) -> bool:
        """Starts a new interval; returns whether most of the change in the last one occurred between two
        frames.
        """
        whole, leap = cv2.norm(self._thumbnails[0], self._thumbnails[-1], cv2.NORM_L1), self._leap
        self._thumbnails, self._leap = self._thumbnails[-1:], 0.0
        return leap >= _ABRUPT * whole


def _make_thumbnail(frame: np.ndarray) -> np.ndarray:
    """Shrinks a frame (height, width) or (height, width, 3) to 32x18, from every few of its pixels."""
    stride = max(1, min(frame.shape[:2]) // _COARSE)
    coarse = np.ascontiguousarray(frame[::stride, ::stride])
    return cv2.resize(coarse, _THUMBNAIL, interpolation=cv2.INTER_AREA)


def _shows_other_scene(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two thumbnails show different scenes: they differ much, and not only in brightness."""
    if np.abs(before - after).mean() < _DIFFERENCE:
        return False
    a, b = before - before.mean(), after - after.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return spread == 0 or float((a * b).sum()) / spread < _LIKENESS
