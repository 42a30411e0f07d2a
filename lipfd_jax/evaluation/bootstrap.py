"""How far figures would swing had other sources been filmed: intervals by drawing sources again.

Videos of one source share footage or a person, so they are drawn together. Sources are drawn with
replacement among those of their kind (with real videos, with fakes, with both), so that each copy of the
data keeps both classes and as many sources of each kind (cluster bootstrap, stratified; Efron and
Tibshirani, 1993; Field and Welsh, 2007). Intervals are percentiles of the figures of all copies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lipfd_jax.evaluation.weighted_metrics import weighted_metrics

FEW = 20  # sources of a class below which an interval is too narrow to be relied on


@dataclass(frozen=True)
class Drawing:
    """How intervals are made; the same drawing gives the same intervals."""

    draws: int = 1000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self):
        if self.draws < 1 or not 0 < self.level < 1 or self.seed < 0:
            raise ValueError(f"{self}: expected at least one draw, a level between 0 and 1, a seed from 0 on")


DRAWING = Drawing()


@dataclass(frozen=True)
class Intervals:
    """Low and high end of each figure; None where some copy of the data has no such figure."""

    values: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    real_sources: int = 0  # sources with a real video
    fake_sources: int = 0
    drawing: Drawing = DRAWING

    def __getitem__(self, name: str) -> tuple[float, float] | None:
        return self.values.get(name)

    @property
    def warning(self) -> str:
        """Says that the intervals are too narrow, and why; "" where nothing speaks for it."""
        counts = {"real": self.real_sources, "fake": self.fake_sources}
        few = [f"{count} of {name} ones" for name, count in counts.items() if 0 < count < FEW]
        if not few:
            return ""
        return f"intervals are too narrow: fewer than {FEW} sources ({', '.join(few)})"


def intervals(
    labels: np.ndarray,
    scores: np.ndarray,
    sources: np.ndarray,
    threshold: float,
    drawing: Drawing = DRAWING,
) -> Intervals:
    """Intervals of the figures of labels (n,), scores (n,) and the source (n,) each belongs to."""
    if not len(labels):
        return Intervals(drawing=drawing)
    draws, place, counts = draw_sources(labels, sources, drawing)
    figures = weighted_metrics(labels, scores, draws, place, threshold)
    return Intervals(_percentiles(figures, drawing.level), *counts, drawing)


def difference_intervals(
    labels: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    sources: np.ndarray,
    thresholds: tuple[float, float],
    drawing: Drawing = DRAWING,
) -> Intervals:
    """Intervals of ours - theirs, two columns of scores for the same things, in the same draws."""
    if not len(labels):
        return Intervals(drawing=drawing)
    draws, place, counts = draw_sources(labels, sources, drawing)
    columns = zip((ours, theirs), thresholds, strict=True)
    a, b = (weighted_metrics(labels, scores, draws, place, threshold) for scores, threshold in columns)
    return Intervals(_percentiles({name: a[name] - b[name] for name in a}, drawing.level), *counts, drawing)


def draw_sources(
    labels: np.ndarray, sources: np.ndarray, drawing: Drawing
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """How often each source is drawn (d, m), the source of each label (n,), and the sources of each class."""
    names, place = np.unique(sources, return_inverse=True)
    real, fake = (np.bincount(place[labels == label], minlength=len(names)) > 0 for label in (0, 1))
    draws = np.zeros((drawing.draws, len(names)), np.int32)
    random = np.random.default_rng(drawing.seed)
    for kind in (real & ~fake, fake & ~real, real & fake):
        count = int(kind.sum())
        if count:
            draws[:, kind] = random.multinomial(count, np.full(count, 1 / count), drawing.draws)
    return draws, place, (int(real.sum()), int(fake.sum()))


def _percentiles(figures: Mapping[str, np.ndarray], level: float) -> dict[str, tuple[float, float] | None]:
    ends = (1 - level) / 2, (1 + level) / 2
    found: dict[str, tuple[float, float] | None] = {}
    for name, values in figures.items():
        known = bool(np.isfinite(values).all())
        found[name] = tuple(float(end) for end in np.quantile(values, ends)) if known else None
    return found
