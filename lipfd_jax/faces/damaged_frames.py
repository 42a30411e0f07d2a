"""Frames that damage may affect: from shortly before a reported place up to the next key frame."""

import bisect
from collections.abc import Sequence

import av
import numpy as np

_BEFORE = 0.25  # seconds before a damaged place that may depend on it, as frames do on later ones


class DamagedFrames:
    """Collects the damaged places of a video that is decoded frame by frame."""

    def __init__(self) -> None:
        self._keys: list[int] = []  # numbers of intact key frames, which depend on no other
        self._places: list[int] = []  # numbers of damaged frames

    def add_frame(self, number: int, frame: av.VideoFrame) -> None:
        """Records whether a frame is damaged, or one that ends earlier damage."""
        if frame.is_corrupt:
            self._places.append(number)
        elif frame.key_frame:
            self._keys.append(number)

    def add_places(self, *numbers: int) -> None:
        """Records damage at frames of these numbers that does not show in the frames."""
        self._places += numbers

    def find_affected(self, times: np.ndarray, moments: Sequence[float]) -> np.ndarray:
        """Returns (frames,) bool: frames that the recorded places, and damage at some times, may affect.

        Args:
          times: (frames,) seconds, non-decreasing.
          moments: times of further damage, seconds.
        """
        damaged = np.zeros(len(times), bool)
        further = np.minimum(np.searchsorted(times, moments), len(times) - 1).tolist()
        for number in {*self._places, *further}:
            first = int(np.searchsorted(times, times[number] - _BEFORE))
            key = bisect.bisect_right(self._keys, number)
            damaged[first : self._keys[key] if key < len(self._keys) else None] = True
        return damaged
