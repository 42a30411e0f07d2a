"""From a face's box to the square that the training clips would show of it, and the square cut out."""

from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.faces.finders import FRAMINGS

CROP_SIDE = 224  # pixels; squares are reduced to it, as AVLips' clips were, and never enlarged
SMALLEST_SIDE = 97  # of a square, pixels: a face of dlib's 60
_PADDING = 110  # grey where a square leaves the picture, as in the usual SyncNet crop
_SHIFT = 0.1  # part of its side by which a square is moved to stay inside the picture
_FRAMED_ASPECT = 1.05  # a picture this near to a square,
_FRAMED_SIDE = 0.85  # which the square would fill to this part,
_FRAMED_OFFSET = 0.1  # with its centre within this part of the middle, is already cut: it is taken whole


@dataclass(frozen=True)
class Square:
    """A square piece of a picture; it may reach outside."""

    left: float  # pixels, as all three
    top: float
    side: float


def square_around(box: np.ndarray, finder: str) -> Square:
    """The square framed like AVLips around a face's box (left, top, right, bottom)."""
    framing = FRAMINGS[finder]
    side = framing.side * max(box[2] - box[0], box[3] - box[1])
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return Square(float(x - framing.x * side), float(y - framing.y * side), float(side))


def move_inside(square: Square, width: int, height: int) -> Square:
    """The square moved towards the picture, by a tenth of its side at most."""

    def moved(start: float, length: int) -> float:
        inside = min(max(start, 0.0), max(length - square.side, 0.0))
        return start + float(np.clip(inside - start, -_SHIFT * square.side, _SHIFT * square.side))

    return Square(moved(square.left, width), moved(square.top, height), square.side)


def is_already_framed(square: Square, width: int, height: int) -> bool:
    """Whether the picture is already cut like the square, so that it is taken whole."""
    short = min(width, height)
    middle = (square.left + square.side / 2, square.top + square.side / 2)
    offset = max(abs(middle[0] - width / 2), abs(middle[1] - height / 2))
    near_square = max(width, height) <= _FRAMED_ASPECT * short
    return near_square and square.side >= _FRAMED_SIDE * short and offset <= _FRAMED_OFFSET * short


def is_cut_by_edge(box: np.ndarray, width: int, height: int) -> bool:
    """Whether a face's box reaches the left, right or lower edge of the picture, which cuts the face.

    At the upper edge a forehead may be missing, as in AVLips' own clips.
    """
    margin = 0.01 * max(box[2] - box[0], box[3] - box[1])
    return bool(box[0] < margin or box[2] > width - margin or box[3] > height - margin)


def cut_square(picture: np.ndarray, square: Square | None) -> np.ndarray:
    """The square of a picture (height, width, 3) uint8; without one, the picture itself.

    Grey where it leaves the picture; reduced to 224 pixels where it has more.
    """
    piece = picture if square is None else _cut_padded(picture, square)
    if max(piece.shape[:2]) <= CROP_SIDE:
        return piece
    return cv2.resize(piece, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_AREA)


def _cut_padded(picture: np.ndarray, square: Square) -> np.ndarray:
    height, width = picture.shape[:2]
    left, top, side = (round(value) for value in (square.left, square.top, square.side))
    rows, columns = slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width))
    if (rows.stop - rows.start, columns.stop - columns.start) == (side, side):
        return picture[rows, columns]
    piece = np.full((side, side, 3), _PADDING, np.uint8)
    inside = picture[rows, columns]
    y, x = rows.start - top, columns.start - left
    piece[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return piece
