"""Thumbnails spread evenly over a video of any length, for reports."""

from dataclasses import dataclass

import cv2
import numpy as np

_HEIGHT = 72
_SECONDS = 0.4 - 0.01  # between thumbnails, until there are too many
_MAX_COUNT = 96


@dataclass(frozen=True)
class Thumbnail:
    """A thumbnail of a frame."""

    time: float  # seconds on the file's clock
    image: np.ndarray  # (72, width, 3) uint8 RGB


class ThumbnailStrip:
    """Keeps a thumbnail at regular intervals; with too many of them, only every other one."""

    def __init__(self):
        self.thumbnails: list[Thumbnail] = []
        self._every = _SECONDS

    def add_frame(self, time: float, frame: np.ndarray) -> None:
        """Adds a frame, (height, width, 3) uint8, at `time` in seconds, if a thumbnail is due."""
        if self.thumbnails and time < self.thumbnails[-1].time + self._every:
            return
        self.thumbnails.append(Thumbnail(time, _make_thumbnail(frame)))
        if len(self.thumbnails) > _MAX_COUNT:
            self.thumbnails = self.thumbnails[::2]
            self._every = self.thumbnails[1].time - self.thumbnails[0].time


def _make_thumbnail(frame: np.ndarray) -> np.ndarray:
    """Shrinks a frame to 72 pixels of height."""
    height, width = frame.shape[:2]
    size = (min(max(1, round(_HEIGHT * width / height)), 4 * _HEIGHT), _HEIGHT)
    # First by a whole number, which OpenCV averages many times faster than other factors.
    part = max(1, min(height // _HEIGHT, width))
    coarse = (width // part, height // part)
    inside = frame[: coarse[1] * part, : coarse[0] * part]
    return cv2.resize(cv2.resize(inside, coarse, interpolation=cv2.INTER_AREA), size)
