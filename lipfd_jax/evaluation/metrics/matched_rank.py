"""Matched rank of columns of labels, scores and sources, with its interval, apart from other metrics."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import (
    DEFAULT_BOOTSTRAP,
    BootstrapSettings,
    compute_percentiles,
    draw_sources,
)
from lipfd_jax.evaluation.metrics.samples import check_columns
from lipfd_jax.evaluation.metrics.source_metrics import NO_MATCHED_SOURCE, average_draws, rank_within_sources


@dataclass(frozen=True)
class MatchedRank:
    """How forgeries rank against real samples of the same source."""

    value: float | None  # 0.5 is guessing, 1 is perfect; None where no source holds both classes
    groups: int  # sources that hold both classes
    low: float | None  # ends of the interval by bootstrap over sources
    high: float | None
    missing: str = ""  # why there is no value

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends; None where there is no value."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def compute_matched_rank(
    labels: np.ndarray,
    scores: np.ndarray,
    sources: np.ndarray,
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
) -> MatchedRank:
    """Mean, over the sources that hold both classes, of the share of pairs (real, fake) ranked rightly.

    A pair is ranked rightly where the fake scores higher; ties count half. Every source counts once,
    whatever its number of pairs.

    Args:
      labels: (n,) 0 real, 1 fake.
      scores: (n,) finite numbers, probabilities or not; higher means fake.
      sources: (n,) source of each: videos that share footage or a person.
      bootstrap: draws, seed and confidence of the interval; the draws are those of `compute_intervals`.

    Raises:
      ValueError: other shapes, other labels, or a score that is not finite.
    """
    labels, scores = check_columns(labels, scores)
    if np.shape(sources) != labels.shape:
        raise ValueError(f"sources {np.shape(sources)} must be a column as long as labels {labels.shape}")
    draws, place, _ = draw_sources(labels, sources, bootstrap)
    ranks = rank_within_sources(labels, scores, place)
    groups = int(np.isfinite(ranks).sum())
    if not groups:
        return MatchedRank(None, 0, None, None, NO_MATCHED_SOURCE)
    low, high = compute_percentiles(average_draws(ranks, draws), bootstrap.confidence) or (None, None)
    return MatchedRank(float(np.nanmean(ranks)), groups, low, high)
