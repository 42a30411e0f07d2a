"""Contents of pseudo-forgeries: what a lip-sync generator would paste, made from real pictures.

A generator's picture is the mouth of this or another moment, computed at a fixed side (Wav2Lip: 96 pixels for
the face's box) with what that leaves (`forgery_operations`), and enlarged into the frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import cv2
import numpy as np

from lipfd_jax.data.forgery_operations import OPERATIONS, Random
from lipfd_jax.settings import check_ranges

_WHERE = "pseudo_forgeries.content."  # prefix of settings in messages
_MOST = 3  # operations at the generator's size
ENLARGEMENTS = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}


# Operations that change texture wherever there is any; without a generator's side, one of them comes first.
TEXTURES = ("blur", "smear", "median", "compress", "oversharpen", "grid")
# Operations that may follow at the frame's own size, after the enlargement: cheap there.
FINISHES = ("blur", "oversharpen", "compress", "recolour")


@dataclass(frozen=True)
class ContentSettings:
    """Probabilities of what makes a content, and weights of the operations; 0 leaves one out."""

    donor: float = 0.5  # the mouth of another moment, otherwise the same mouth
    aligned: float = 0.85  # a donor is moved so that eyes and nose coincide
    least_fit: float = 0.6  # correlation of eyes and nose below which a donor's head is turned too far to use
    matched: float = 0.6  # a donor takes over the colours of what it covers, coarsely
    rendered: float = 0.65  # computed at a generator's side and enlarged
    smallest_side: int = 64  # of a generator's picture of the face's box, pixels
    largest_side: int = 190
    finish: float = 0.3  # one more operation after the enlargement
    more: float = 0.4  # probability of one more operation, after each, up to three
    blur: float = 1.5
    smear: float = 1.0
    median: float = 0.7
    compress: float = 0.8
    oversharpen: float = 0.8
    recolour: float = 1.0
    move: float = 1.0
    deform: float = 1.0
    smooth_in_time: float = 0.7
    grid: float = 0.6

    def __post_init__(self) -> None:
        probabilities = ("donor", "aligned", "matched", "rendered", "finish", "more")
        check_ranges(self, _WHERE, **dict.fromkeys(probabilities, (0, 1)), least_fit=(-1, 1))
        check_ranges(
            self, _WHERE, **dict.fromkeys(OPERATIONS, (0, inf)), smallest_side=(16, self.largest_side)
        )
        if self.rendered < 1 and not any(getattr(self, name) for name in TEXTURES):
            raise ValueError(
                f"{_WHERE}rendered={self.rendered}: without a generator's side, one of {', '.join(TEXTURES)} "
                "needs a weight above 0, or nothing would change"
            )


@dataclass(frozen=True)
class Step:
    """One operation with its strength."""

    name: str  # in `OPERATIONS`
    strength: float  # 0 to 1
    seed: int


@dataclass(frozen=True)
class Content:
    """A content's parameters for one window."""

    donor: bool  # the mouth of another moment
    aligned: bool  # with its eyes and nose where the frame has them
    least_fit: float  # with less, the mouth of the frame itself is taken; -1: any donor fits
    cells: int  # a side: means of so many cells are taken over from the frame; 0: none
    side: int  # of the generator's picture of the face's box, pixels; 0: as large as in the frame
    enlargement: str  # a name in `ENLARGEMENTS`
    steps: tuple[Step, ...]  # at the generator's size
    finish: tuple[Step, ...]  # at the frame's


def draw_content(rng: Random, settings: ContentSettings = ContentSettings()) -> Content:
    """Draws a content's parameters; it changes textures even where the donor is the frames themselves."""
    donor = rng.random() < settings.donor
    side = _draw_side(rng, settings) if rng.random() < settings.rendered else 0
    steps = _draw_steps(rng, settings, fewest=0 if side else 1)
    return Content(
        donor=donor,
        aligned=rng.random() < settings.aligned,
        least_fit=settings.least_fit,
        cells=int(rng.choice([1, 4, 8])) if rng.random() < settings.matched and donor else 0,
        side=side,
        enlargement=str(rng.choice(list(ENLARGEMENTS), p=[0.5, 0.35, 0.15])),
        steps=steps,
        finish=_draw_finish(rng, settings, steps),
    )


def _draw_side(rng: Random, settings: ContentSettings) -> int:
    """A generator's side, small ones as often as large ones of twice the range."""
    low, high = np.log(settings.smallest_side), np.log(settings.largest_side)
    return round(float(np.exp(rng.uniform(low, high))))


def _draw_steps(rng: Random, settings: ContentSettings, fewest: int) -> tuple[Step, ...]:
    """Different operations: `fewest` (0 or 1) that change texture, then others."""
    count = int((rng.random(_MOST - fewest) < settings.more).cumprod().sum())
    first = _draw_names(rng, settings, TEXTURES, fewest)
    others = [name for name in OPERATIONS if name not in first]
    return tuple(_draw_step(rng, name) for name in [*first, *_draw_names(rng, settings, others, count)])


def _draw_names(rng: Random, settings: ContentSettings, among: Sequence[str], count: int) -> list[str]:
    """Different names by the settings' weights: at most those whose weight is above 0."""
    weights = np.array([getattr(settings, name) for name in among], float)
    count = min(count, int(np.count_nonzero(weights)))
    return rng.choice(among, count, replace=False, p=weights / weights.sum()).tolist() if count else []


def _draw_finish(rng: Random, settings: ContentSettings, before: tuple[Step, ...]) -> tuple[Step, ...]:
    """At most one operation, and none that was applied before."""
    left = [name for name in FINISHES if name not in {step.name for step in before}]
    return (_draw_step(rng, str(rng.choice(left))),) if rng.random() < settings.finish else ()


def _draw_step(rng: Random, name: str) -> Step:
    return Step(name, rng.random() ** 1.5, int(rng.integers(2**32)))


def render(content: Content, patches: np.ndarray, box_side: float) -> np.ndarray:
    """Applies a content's sizes and operations to patches (n, height, width, 3) uint8 RGB.

    Args:
      box_side: side of the face's box in the patches' pixels. A generator's side is at most 0.7 of it, so
        that something is lost in small frames too.
    """
    height, width = patches.shape[1:3]
    scale = min(content.side / box_side, 0.7) if content.side else 1.0
    small = max(4, round(width * scale)), max(4, round(height * scale))
    if scale < 1:
        patches = _resize(patches, small, cv2.INTER_AREA)
    patches = _apply_steps(content.steps, patches)
    if scale < 1:
        patches = _resize(patches, (width, height), ENLARGEMENTS[content.enlargement])
    return _apply_steps(content.finish, patches)


def match_colours(patches: np.ndarray, wanted: np.ndarray, cells: int) -> np.ndarray:
    """Gives patches the means of `wanted` in cells x cells parts, smoothly between them."""
    height, width = patches.shape[1:3]
    size = (min(cells, width), min(cells, height))
    missing = [
        cv2.resize(w.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        - cv2.resize(p.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for p, w in zip(patches, wanted, strict=True)
    ]
    return np.stack(
        [
            cv2.add(p, cv2.resize(m, (width, height)), dtype=cv2.CV_8U)
            for p, m in zip(patches, missing, strict=True)
        ]
    )


def _apply_steps(steps: tuple[Step, ...], patches: np.ndarray) -> np.ndarray:
    for step in steps:
        patches = OPERATIONS[step.name](patches, step.strength, np.random.default_rng(step.seed))
    return patches


def _resize(patches: np.ndarray, size: tuple[int, int], method: int) -> np.ndarray:
    return np.stack([cv2.resize(patch, size, interpolation=method) for patch in patches])
