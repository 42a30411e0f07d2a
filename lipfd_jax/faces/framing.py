"""Framing: from a face's box to the square that training clips show of it, and its crop."""

from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.faces.finders import FINDERS
from lipfd_jax.vocabulary import FACE_SIDE

CROP_SIDE = (
    FACE_SIDE  # pixels; squares are shrunk to it by default, as AVLips' clips were, and never enlarged
)
SMALLEST_SIDE = 97  # smallest square, pixels: a face of 60 for dlib
_PADDING = 110  # grey outside the frame, as in the usual SyncNet crop
_SHIFT = 0.1  # fraction of its side by which a square is moved to stay inside the frame
_FRAMED_ASPECT = 1.05  # a frame with at most this aspect ratio,
_FRAMED_SIDE = 0.85  # of which the square fills at least this fraction of the side,
_FRAMED_OFFSET = 0.1  # with its centre within this fraction of the middle, is already cropped: used whole


@dataclass(frozen=True)
class Square:
    """A square region of a frame; it may extend outside."""

    left: float  # all three in pixels
    top: float
    side: float


def make_square(box: np.ndarray, finder: str) -> Square:
    """Returns the square framed like AVLips around a face's box (left, top, right, bottom)."""
    framing = FINDERS[finder].framing
    side = framing.side * max(box[2] - box[0], box[3] - box[1])
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return Square(float(x - framing.x * side), float(y - framing.y * side), float(side))


def move_inside(square: Square, width: int, height: int) -> Square:
    """Moves the square towards the inside of the frame, by a tenth of its side at most."""

    def shift(start: float, length: int) -> float:
        inside = min(max(start, 0.0), max(length - square.side, 0.0))
        return start + float(np.clip(inside - start, -_SHIFT * square.side, _SHIFT * square.side))

    return Square(shift(square.left, width), shift(square.top, height), square.side)


def is_already_framed(square: Square, width: int, height: int) -> bool:
    """Whether the frame is already cropped like the square, so that it is used whole."""
    short = min(width, height)
    middle = (square.left + square.side / 2, square.top + square.side / 2)
    offset = max(abs(middle[0] - width / 2), abs(middle[1] - height / 2))
    near_square = max(width, height) <= _FRAMED_ASPECT * short
    return near_square and square.side >= _FRAMED_SIDE * short and offset <= _FRAMED_OFFSET * short


def is_cut_by_edge(box: np.ndarray, width: int, height: int) -> bool:
    """Whether a face's box reaches the left, right or lower edge of the frame, which cuts the face.

    At the upper edge a forehead may be missing, as in AVLips' own clips.
    """
    margin = 0.01 * max(box[2] - box[0], box[3] - box[1])
    return bool(box[0] < margin or box[2] > width - margin or box[3] > height - margin)


def cut_square(frame: np.ndarray, square: Square | None, side: int = CROP_SIDE) -> np.ndarray:
    """Crops the square from a frame (height, width, 3) uint8; None keeps the whole frame.

    Grey outside the frame; shrunk to `side` pixels if larger, and never enlarged.
    """
    piece = frame if square is None else _cut_padded(frame, square)
    if max(piece.shape[:2]) <= side:
        return piece
    return cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA)


def _cut_padded(frame: np.ndarray, square: Square) -> np.ndarray:
    height, width = frame.shape[:2]
    left, top, side = (round(value) for value in (square.left, square.top, square.side))
    rows, columns = slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width))
    if (rows.stop - rows.start, columns.stop - columns.start) == (side, side):
        return frame[rows, columns]
    piece = np.full((side, side, 3), _PADDING, np.uint8)
    inside = frame[rows, columns]
    y, x = rows.start - top, columns.start - left
    piece[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return piece
