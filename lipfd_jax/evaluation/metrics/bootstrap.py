"""Confidence intervals by stratified cluster bootstrap over sources.

Videos of one source share footage or a person, so they are drawn together. Sources are drawn with
replacement among those of their kind (with real videos, with fakes, with both), so that each draw keeps both
classes and as many sources of each kind (Efron and Tibshirani, 1993; Field and Welsh, 2007). Intervals are
percentiles of a metric over all draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lipfd_jax.evaluation.metrics.compute import resample_metrics
from lipfd_jax.evaluation.metrics.metric import Granularity
from lipfd_jax.evaluation.metrics.samples import Sample

FEW_SOURCES = 20  # sources per class; with fewer, an interval is too narrow to be relied on


@dataclass(frozen=True)
class BootstrapSettings:
    """How intervals are computed; the same settings give the same intervals.

    Raises:
      ValueError: a value is impossible.
    """

    draws: int = 1000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self):
        if self.draws < 1 or not 0 < self.confidence < 1 or self.seed < 0:
            raise ValueError(
                f"{self}: expected at least one draw, a confidence between 0 and 1, a seed from 0 on"
            )


DEFAULT_BOOTSTRAP = BootstrapSettings()


@dataclass(frozen=True)
class Intervals:
    """Low and high end of each metric; None where a draw lacks the metric."""

    values: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    real_sources: int = 0  # sources with a real video
    fake_sources: int = 0
    matched_sources: int = 0  # sources with both, which the matched rank is the mean over
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP

    def __getitem__(self, name: str) -> tuple[float, float] | None:
        return self.values.get(name)

    @property
    def warning(self) -> str:
        """Why the intervals are too narrow; "" where there are sources enough."""
        counts = {"real": self.real_sources, "fake": self.fake_sources}
        few = [f"{count} of {name} ones" for name, count in counts.items() if 0 < count < FEW_SOURCES]
        if few:
            return f"intervals are too narrow: fewer than {FEW_SOURCES} sources ({', '.join(few)})"
        if 0 < self.matched_sources < FEW_SOURCES:
            held = f"{self.matched_sources} sources" if self.matched_sources > 1 else "one source"
            return f"the interval of the matched rank is too narrow: only {held} with real ones and fakes"
        return ""


def compute_intervals(
    labels: np.ndarray,
    scores: np.ndarray,
    sources: np.ndarray,
    threshold: float,
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
    *,
    granularity: Granularity | None = None,
) -> Intervals:
    """Intervals of the metrics of labels (n,), scores (n,) and the source (n,) that each belongs to."""
    if not len(labels):
        return Intervals(bootstrap=bootstrap)
    sample = Sample.build(labels, scores, threshold)
    draws, place, counts = draw_sources(labels, sources, bootstrap)
    metrics = resample_metrics(sample, place, draws, granularity=granularity)
    return Intervals(_compute_each_interval(metrics, bootstrap.confidence), *counts, bootstrap)


def compute_difference_intervals(
    labels: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    sources: np.ndarray,
    thresholds: tuple[float, float],
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
    *,
    granularity: Granularity | None = None,
) -> Intervals:
    """Paired intervals of ours - theirs: two columns of scores of the same things, in the same draws."""
    if not len(labels):
        return Intervals(bootstrap=bootstrap)
    draws, place, counts = draw_sources(labels, sources, bootstrap)
    samples = [
        Sample.build(labels, scores, threshold)
        for scores, threshold in zip((ours, theirs), thresholds, strict=True)
    ]
    a, b = (resample_metrics(sample, place, draws, granularity=granularity) for sample in samples)
    differences = {name: a[name] - b[name] for name in a}
    return Intervals(_compute_each_interval(differences, bootstrap.confidence), *counts, bootstrap)


def draw_sources(
    labels: np.ndarray, sources: np.ndarray, bootstrap: BootstrapSettings
) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    """Draws the m distinct sources with replacement.

    Returns:
      draws: (d, m) int32, how often each source is drawn.
      place: (n,) the source of each label, 0..m-1.
      counts: numbers of sources with a real video, with a fake, and with both.
    """
    names, place = np.unique(sources, return_inverse=True)
    real, fake = (np.bincount(place[labels == label], minlength=len(names)) > 0 for label in (0, 1))
    draws = np.zeros((bootstrap.draws, len(names)), np.int32)
    random = np.random.default_rng(bootstrap.seed)
    for kind in (real & ~fake, fake & ~real, real & fake):
        count = int(kind.sum())
        if count:
            draws[:, kind] = random.multinomial(count, np.full(count, 1 / count), bootstrap.draws)
    return draws, place, (int(real.sum()), int(fake.sum()), int((real & fake).sum()))


def compute_percentiles(values: np.ndarray, confidence: float) -> tuple[float, float] | None:
    """The interval of values (d,) of all draws; None where one is undefined."""
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _compute_each_interval(
    metrics: Mapping[str, np.ndarray], confidence: float
) -> dict[str, tuple[float, float] | None]:
    return {name: compute_percentiles(values, confidence) for name, values in metrics.items()}
