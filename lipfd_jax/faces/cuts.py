"""Where scenes change in a video: a picture differs from the one before, and most of it at one stroke."""

import cv2
import numpy as np

_THUMBNAIL = (32, 18)  # width, height of the pictures that tell scenes apart
_COARSE = 72  # pixels of a picture's shorter side that they are made of, about
_DIFFERENCE = 22.0  # mean difference of two of them, in 0..255, beyond which the scene has changed ...
_LIKENESS = 0.7  # ... where they also correlate less than this ...
_ABRUPT = 0.5  # ... and one step between frames makes this part of it: a camera that pans is no cut


class CutDetector:
    """Compares samples of a video, and the frames between them, as they come."""

    def __init__(self):
        self._sample: np.ndarray | None = None  # thumbnail of the latest sample
        self._glances: list[np.ndarray] = []  # brightness of the latest sample and of the latest frame
        self._leap = 0.0  # the largest change between frames since that sample

    def glance(self, brightness: np.ndarray) -> None:
        """Notes how much a frame, (height, width) uint8, changed since the frame before."""
        self._glances.append(_make_thumbnail(brightness))
        if len(self._glances) > 1:
            self._leap = max(self._leap, cv2.norm(*self._glances[-2:], cv2.NORM_L1))
            del self._glances[1:-1]  # the sample's and the latest

    def sample(self, picture: np.ndarray) -> bool:
        """Whether the scene changed since the sample before.

        Args:
          picture: (height, width, 3) uint8, the latest frame glanced at.
        """
        before, self._sample = self._sample, _make_thumbnail(picture).astype(np.float32)
        abrupt = self._abrupt()
        return before is not None and abrupt and _differs(before, self._sample)

    def _abrupt(self) -> bool:
        """Whether most of what changed since the sample before changed between two frames."""
        whole, leap = cv2.norm(self._glances[0], self._glances[-1], cv2.NORM_L1), self._leap
        self._glances, self._leap = self._glances[-1:], 0.0
        return leap >= _ABRUPT * whole


def _make_thumbnail(picture: np.ndarray) -> np.ndarray:
    """A picture (height, width) or (height, width, 3) as one of 32x18 pixels, from every few of its own."""
    stride = max(1, min(picture.shape[:2]) // _COARSE)
    coarse = np.ascontiguousarray(picture[::stride, ::stride])
    return cv2.resize(coarse, _THUMBNAIL, interpolation=cv2.INTER_AREA)


def _differs(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two thumbnails show different scenes: they differ much, and not just in brightness."""
    if np.abs(before - after).mean() < _DIFFERENCE:
        return False
    a, b = before - before.mean(), after - after.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return spread == 0 or float((a * b).sum()) / spread < _LIKENESS
