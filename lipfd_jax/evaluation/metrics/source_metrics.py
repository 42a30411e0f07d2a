"""Metrics within sources: how forgeries rank against real samples of the same source.

`compute_mean_rank` takes a `Sample`; `resample_mean_rank` takes `Resamples` instead and returns (d,) values.
"""

import numpy as np

from lipfd_jax.evaluation.metrics.resamples import Resamples
from lipfd_jax.evaluation.metrics.samples import Sample

NO_MATCHED_SOURCE = "no source holds real and fake ones: matched rank compares them within sources"


def rank_within_sources(labels: np.ndarray, scores: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Share of the pairs (real, fake) of each source in which the fake scores higher; ties count half.

    Args:
      labels: (n,) 0 real, 1 fake.
      scores: (n,) finite numbers.
      place: (n,) source of each score, 0..m-1.

    Returns:
      (m,) float64; NaN for a source of one class.
    """
    order = np.lexsort((scores, place))
    real, fake, place = labels[order] == 0, labels[order] == 1, place[order]
    scores = scores[order]
    starts = np.flatnonzero(np.append(True, (np.diff(place) > 0) | (np.diff(scores) > 0))[: len(place)])
    owner = place[starts]  # of each run of ties within a source
    if not len(starts):
        return np.zeros(0)
    tied, fakes = np.add.reduceat(real, starts, dtype=np.int64), np.add.reduceat(fake, starts, dtype=np.int64)
    count = int(place.max()) + 1
    all_real, all_fakes = (np.bincount(owner, values, count) for values in (tied, fakes))
    below = np.cumsum(tied) - tied - (np.cumsum(all_real) - all_real)[owner]  # real ones of lower scores
    won = np.bincount(owner, fakes * (below + tied / 2), count)
    pairs = all_real * all_fakes
    return np.divide(won, pairs, out=np.full(count, np.nan), where=pairs > 0)


def compute_mean_rank(sample: Sample) -> float:
    """Matched rank: mean over the sources that hold real and fake ones; NaN where none does."""
    return _average(sample.cached(_rank_sources))


def count_matched_sources(sample: Sample) -> int:
    """Number of sources that hold real and fake ones."""
    return int(np.isfinite(sample.cached(_rank_sources)).sum())


def resample_mean_rank(draws: Resamples) -> np.ndarray:
    """Matched rank of each draw, in which a source counts as often as it was drawn."""
    ranks = rank_within_sources(draws.sample.labels, draws.sample.scores, draws.place)
    return average_draws(ranks, draws.draws)


def average_draws(ranks: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Means (d,) of the ranks (m,) that are known, by how often each source was drawn, draws (d, m)."""
    known = np.isfinite(ranks)
    times = draws[:, known]
    with np.errstate(invalid="ignore"):
        return times @ ranks[known] / times.sum(1)


def _rank_sources(sample: Sample) -> np.ndarray:
    _, place = np.unique(np.asarray(sample.sources), return_inverse=True)
    return rank_within_sources(sample.labels, sample.scores, place)


def _average(ranks: np.ndarray) -> float:
    known = ranks[np.isfinite(ranks)]
    return float(known.mean()) if len(known) else np.nan
