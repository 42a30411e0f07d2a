"""Bootstrap draws of a sample as weights, for metrics of all draws at once.

A draw repeats each source a whole number of times. Metrics of d draws are computed from weights (d, n)
rather than from d copies of the data, some hundred times as fast as scikit-learn draw by draw.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lipfd_jax.evaluation.metrics.samples import Cached, Curve, Sample


@dataclass(frozen=True, eq=False)
class Resamples(Cached):
    """Draws of a sample whose scores are in descending order.

    `tp`, `fp`, `fakes` and `real` are those of `Sample` for every draw, (d,) float64, so that a metric
    written with them is a function of either.
    """

    sample: Sample  # n scores in descending order
    place: np.ndarray  # (n,) int: the source of each score, 0..m-1
    draws: np.ndarray  # (d, m) int: how often each source was drawn

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each score was drawn, (d, n) float64."""
        return self.draws[:, self.place].astype(np.float64)

    @cached_property
    def curve(self) -> Curve:
        """Counts (d, k+1) at every distinct score of the sample, drawn or not."""
        scores = self.sample.scores
        ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))  # last index of each run of ties
        at = np.concatenate([[0], ends + 1])
        fakes, called = self._cumulative
        return Curve(np.concatenate([[np.inf], scores[ends]]), fakes[:, at], (called - fakes)[:, at])

    @property
    def fakes(self) -> np.ndarray:
        """Number of fakes."""
        return self._cumulative[0][:, -1]

    @property
    def real(self) -> np.ndarray:
        """Number of real samples."""
        return self._cumulative[1][:, -1] - self.fakes

    @property
    def tp(self) -> np.ndarray:
        """Fakes called fake at the threshold."""
        return self._cumulative[0][:, self._called]

    @property
    def fp(self) -> np.ndarray:
        """Real ones called fake at the threshold."""
        return self._cumulative[1][:, self._called] - self.tp

    def copies(self) -> Iterator[Sample]:
        """Each draw as a sample of its own, in which every copy of a source is a source of its own."""
        for drawn in self.draws:
            times = drawn[self.place]
            rows = np.repeat(np.arange(len(times)), times)
            copy = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
            sources = self.place[rows] + len(drawn) * copy
            sample = self.sample
            yield Sample(sample.labels[rows], sample.scores[rows], sample.threshold, sources)

    @cached_property
    def _cumulative(self) -> np.ndarray:
        """Fakes, and all, among the i highest scores: (2, d, n+1)."""
        counts = np.zeros((2, *np.add(self.weights.shape, (0, 1))))
        np.cumsum(self.weights * (self.sample.labels == 1), 1, out=counts[0, :, 1:])
        np.cumsum(self.weights, 1, out=counts[1, :, 1:])
        return counts

    @property
    def _called(self) -> int:
        """How many scores are at least the threshold; they come first."""
        return int((self.sample.scores >= self.sample.threshold).sum())


def split_draws(sample: Sample, place: np.ndarray, draws: np.ndarray, cells: int) -> Iterator[Resamples]:
    """Resamples of as many draws at a time as keep weights below `cells` values.

    Args:
      sample: n scores in any order.
      place: (n,) source of each score, 0..m-1.
      draws: (d, m) whole numbers: how often each source was drawn.
    """
    order = np.argsort(-sample.scores, kind="stable")
    ranked = Sample(sample.labels[order], sample.scores[order], sample.threshold, place[order])
    rows = max(1, cells // max(1, len(sample)))
    for start in range(0, len(draws), rows):
        yield Resamples(ranked, place[order], draws[start : start + rows])
