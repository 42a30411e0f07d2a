"""Samples that metrics are computed from: labels, scores and sources, with their counts at thresholds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from lipfd_jax.vocabulary import THRESHOLD

_Value = TypeVar("_Value")


class Cached:
    """Remembers what functions of this object return, for metrics that share intermediate results."""

    def cached(self, function: Callable[..., _Value]) -> _Value:
        """Returns function(self), computed at the first call."""
        known = self.__dict__.setdefault("_known", {})
        if function not in known:
            known[function] = function(self)
        return known[function]


@dataclass(frozen=True, eq=False)
class Curve:
    """Counts when every score >= threshold is called fake, from 'nothing' (threshold inf) to 'all'.

    Counts have shape (k+1,), or (d, k+1) for d bootstrap draws.
    """

    thresholds: np.ndarray  # (k+1,) float64, descending: inf, then the distinct scores
    tp: np.ndarray  # fakes called fake, ascending
    fp: np.ndarray  # real samples called fake, ascending

    @property
    def tpr(self) -> np.ndarray:
        """True positive rate, float64 of the shape of `tp`; needs at least one fake."""
        return self.tp / self.tp[..., -1:]

    @property
    def fpr(self) -> np.ndarray:
        """False positive rate, float64 of the shape of `fp`; needs at least one real one."""
        return self.fp / self.fp[..., -1:]


@dataclass(frozen=True, eq=False)
class Sample(Cached):
    """Columns of n windows or videos. A metric is a function of a sample."""

    labels: np.ndarray  # (n,) int64, 0 real, 1 fake
    scores: np.ndarray  # (n,) float64, probability of fake
    threshold: float = THRESHOLD  # a score of at least this is called fake
    sources: np.ndarray | None = None  # (n,) group of videos that share footage or a person; None if unknown

    @classmethod
    def build(
        cls,
        labels: np.ndarray,
        scores: np.ndarray,
        threshold: float = THRESHOLD,
        sources: np.ndarray | None = None,
    ) -> "Sample":
        """Checks the columns. Raises ValueError as `check_columns`, or for scores outside 0..1."""
        labels, scores = check_columns(labels, scores)
        if ((scores < 0) | (scores > 1)).any():
            raise ValueError(
                f"scores must be probabilities, 0..1, found {scores.min():g} to {scores.max():g}"
            )
        return cls(labels, scores, float(threshold), sources)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def has_both_classes(self) -> bool:
        """Whether both classes are present."""
        return bool(0 < self.fakes < len(self))

    @cached_property
    def fakes(self) -> np.int64:
        """Number of fakes."""
        return np.sum(self.labels == 1)

    @cached_property
    def real(self) -> np.int64:
        """Number of real samples."""
        return np.sum(self.labels == 0)

    @cached_property
    def tp(self) -> np.int64:
        """Fakes called fake at the threshold."""
        return np.sum((self.labels == 1) & (self.scores >= self.threshold))

    @cached_property
    def fp(self) -> np.int64:
        """Real ones called fake at the threshold."""
        return np.sum((self.labels == 0) & (self.scores >= self.threshold))

    @cached_property
    def curve(self) -> Curve:
        """Counts at every distinct score."""
        return compute_curve(self.labels, self.scores)


def compute_curve(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """Counts at every distinct score. labels (n,) 0 real or 1 fake; scores (n,), any finite numbers."""
    labels, scores = check_columns(labels, scores)
    if not len(labels):
        return Curve(np.array([np.inf]), np.zeros(1, np.int64), np.zeros(1, np.int64))
    from sklearn.metrics import confusion_matrix_at_thresholds  # import takes a second; scoring needs none

    _, fp, _, tp, thresholds = confusion_matrix_at_thresholds(labels, scores, pos_label=1)
    return Curve(
        np.concatenate([[np.inf], thresholds]),
        np.concatenate([[0], tp]).astype(np.int64),
        np.concatenate([[0], fp]).astype(np.int64),
    )


def check_columns(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as columns of one length, int64 and float64.

    Raises:
      ValueError: the shapes differ, a label is neither 0 nor 1, or a score is not finite.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} must be two columns of one length")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 (real) or 1 (fake), found {np.setdiff1d(labels, (0, 1))[:5]}")
    if not np.isfinite(scores).all():
        raise ValueError(f"score {np.flatnonzero(~np.isfinite(scores))[0]} is not a finite number")
    return labels.astype(np.int64), scores
