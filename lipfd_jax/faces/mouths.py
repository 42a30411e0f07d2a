"""Mouth measures of a sample's faces in the frames until the next sample."""

from collections.abc import Sequence

import cv2
import numpy as np

from lipfd_jax.faces.articulation import measure_articulation
from lipfd_jax.faces.finders import FINDERS, Face
from lipfd_jax.faces.mouth_visibility import cut_face, measure_visibility

_MOUTH_SIZE = (32, 24)
_LIPS = (slice(6, 20), slice(8, 24))  # rows and columns of it, without chin and cheeks
MOTION, CONTRAST, DARKNESS, ARTICULATION, VISIBILITY = range(5)  # columns of the measures
SYNCED = slice(0, 3)  # columns that follow the sound from frame to frame
MEASURES = 5


class MouthMeter:
    """Measures the mouths of faces that stay in place."""

    def __init__(self, faces: Sequence[Face]):
        self._faces = faces
        self._latest: list[np.ndarray | None] = [None] * len(faces)
        self._places: list[tuple[slice, slice]] = []  # rows and columns of the mouths, ...
        self._shape: tuple[int, int] | None = None  # ... in frames of this height and width
        self._mouths: list[list[np.ndarray]] = [[] for _ in faces]  # (24, 32) uint8 each
        self._visibility: list[float] = []
        self._measured: list[list[tuple[float, float, float]]] = [[] for _ in faces]

    @property
    def measured(self) -> tuple[np.ndarray, ...]:
        """Returns for each face (frames, 5) float32.

        MOTION: mean change since the previous frame, in brightness 0..255, NaN in the first. CONTRAST:
        standard deviation over the lips, raised by teeth, tongue and an open mouth. DARKNESS: how much darker
        the lips are than the whole mouth. ARTICULATION and VISIBILITY, the same in all frames: how much the
        mouth changes its shape (`measure_articulation`), and whether it can be seen (`measure_visibility`).
        """
        if not self._visibility:
            return tuple(np.zeros((0, MEASURES), np.float32) for _ in self._faces)
        found = []
        for measured, mouths, visibility in zip(self._measured, self._mouths, self._visibility, strict=True):
            articulation = measure_articulation(np.stack(mouths))
            found.append(np.array([(*row, articulation, visibility) for row in measured], np.float32))
        return tuple(found)

    def measure(self, brightness: np.ndarray) -> None:
        """Measures the next frame: (height, width) uint8."""
        if brightness.shape != self._shape:
            self._shape = brightness.shape
            self._places = [_mouth_region(face, *self._shape) for face in self._faces]
        if not self._visibility:
            pieces = [cut_face(brightness, *_face_region(face, *brightness.shape)) for face in self._faces]
            self._visibility = [measure_visibility(piece) for piece in pieces]
        for index, place in enumerate(self._places):
            piece = np.ascontiguousarray(brightness[place])
            mouth = cv2.resize(piece, _MOUTH_SIZE, interpolation=cv2.INTER_AREA)
            before = self._latest[index]
            motion = np.nan if before is None else cv2.norm(mouth, before, cv2.NORM_L1) / mouth.size
            (lips,), (contrast,) = cv2.meanStdDev(mouth[_LIPS])
            darkness = cv2.mean(mouth)[0] - lips[0]
            self._measured[index].append((motion, contrast[0], darkness))
            self._latest[index] = mouth
            self._mouths[index].append(mouth)


def _mouth_region(face: Face, height: int, width: int) -> tuple[slice, slice]:
    """Returns rows and columns of a face's mouth, at least two each."""
    return _find_region(face, FINDERS[face.finder].mouth, height, width)


def _face_region(face: Face, height: int, width: int) -> tuple[slice, slice]:
    """Returns rows and columns from a face's forehead to below its chin, at least two each."""
    return _find_region(face, FINDERS[face.finder].face, height, width)


def _find_region(
    face: Face, part: tuple[float, float, float, float], height: int, width: int
) -> tuple[slice, slice]:
    w, h = face.right - face.left, face.bottom - face.top
    left, right = (_clip_pixel(face.left + share * w, width) for share in (part[0], part[2]))
    top, bottom = (_clip_pixel(face.top + share * h, height) for share in (part[1], part[3]))
    return slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2))


def _clip_pixel(value: float, length: int) -> int:
    return int(min(max(value, 0), max(length - 2, 0)))
