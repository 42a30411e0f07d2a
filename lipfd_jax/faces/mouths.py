"""Mouth measures of a sample's faces in the frames until the next sample."""

from collections.abc import Sequence

import cv2
import numpy as np

from lipfd_jax.faces.finders import FINDERS, Face

_MOUTH_SIZE = (32, 24)
_LIPS = (slice(6, 20), slice(8, 24))  # rows and columns of it, without chin and cheeks
MOTION, CONTRAST, DARKNESS = range(3)  # columns of the measures
MEASURES = 3


class MouthMeter:
    """Measures the mouths of faces that stay in place."""

    def __init__(self, faces: Sequence[Face]):
        self._faces = faces
        self._latest: list[np.ndarray | None] = [None] * len(faces)
        self._places: list[tuple[slice, slice]] = []  # rows and columns of the mouths, ...
        self._shape: tuple[int, int] | None = None  # ... in frames of this height and width
        self._measured: list[list[tuple[float, float, float]]] = [[] for _ in faces]

    @property
    def measured(self) -> tuple[np.ndarray, ...]:
        """Returns for each face (frames, 3) float32, all in brightness 0..255.

        MOTION: mean change since the previous frame, NaN in the first. CONTRAST: standard deviation over the
        lips, raised by teeth, tongue and an open mouth. DARKNESS: how much darker the lips are than the whole
        mouth.
        """
        return tuple(np.array(values, np.float32).reshape(-1, MEASURES) for values in self._measured)

    def measure(self, brightness: np.ndarray) -> None:
        """Measures the next frame: (height, width) uint8."""
        if brightness.shape != self._shape:
            self._shape = brightness.shape
            self._places = [_mouth_region(face, *self._shape) for face in self._faces]
        for index, place in enumerate(self._places):
            piece = np.ascontiguousarray(brightness[place])
            mouth = cv2.resize(piece, _MOUTH_SIZE, interpolation=cv2.INTER_AREA)
            before = self._latest[index]
            motion = np.nan if before is None else cv2.norm(mouth, before, cv2.NORM_L1) / mouth.size
            (lips,), (contrast,) = cv2.meanStdDev(mouth[_LIPS])
            darkness = cv2.mean(mouth)[0] - lips[0]
            self._measured[index].append((motion, contrast[0], darkness))
            self._latest[index] = mouth


def _mouth_region(face: Face, height: int, width: int) -> tuple[slice, slice]:
    """Returns rows and columns of a face's mouth, at least two each."""
    w, h = face.right - face.left, face.bottom - face.top
    mouth = FINDERS[face.finder].mouth
    left, right = (_clip_pixel(face.left + part * w, width) for part in (mouth[0], mouth[2]))
    top, bottom = (_clip_pixel(face.top + part * h, height) for part in (mouth[1], mouth[3]))
    return slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2))


def _clip_pixel(value: float, length: int) -> int:
    return int(min(max(value, 0), max(length - 2, 0)))
