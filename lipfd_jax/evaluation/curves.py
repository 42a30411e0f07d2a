"""What every threshold would give: counts at each, and the points of the curve that figures are read at."""

from dataclasses import dataclass

import numpy as np

PARTIAL_FPR = 0.1  # up to which the partial area under the ROC curve counts


@dataclass(frozen=True, eq=False)
class Curve:
    """Counts when every score >= threshold is called fake, from 'nothing' on (threshold inf) to 'all'."""

    thresholds: np.ndarray  # (k+1,) float64, falling; inf, then the distinct scores
    tp: np.ndarray  # (k+1,) int64, rising
    fp: np.ndarray  # (k+1,) int64, rising

    @property
    def tpr(self) -> np.ndarray:
        """Share of the fakes called fake, (k+1,) float64; needs at least one fake."""
        return self.tp / self.tp[-1]

    @property
    def fpr(self) -> np.ndarray:
        """Share of the real ones called fake, (k+1,) float64; needs at least one real one."""
        return self.fp / self.fp[-1]


def curve(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """Counts at every distinct score. labels (n,) 0 real or 1 fake; scores (n,), any finite numbers."""
    labels, scores = checked(labels, scores)
    if not len(labels):
        return Curve(np.array([np.inf]), np.zeros(1, np.int64), np.zeros(1, np.int64))
    from sklearn.metrics import confusion_matrix_at_thresholds  # takes a second, and no score needs it

    _, fp, _, tp, thresholds = confusion_matrix_at_thresholds(labels, scores, pos_label=1)
    return Curve(
        np.concatenate([[np.inf], thresholds]),
        np.concatenate([[0], tp]).astype(np.int64),
        np.concatenate([[0], fp]).astype(np.int64),
    )


def equal_error_rate(points: Curve) -> tuple[float, float]:
    """Where fpr = fnr, and the score there; needs both classes.

    scikit-learn gives the points alone. Between the two around the crossing both run straight.
    """
    gap = points.fpr + points.tpr - 1  # fpr - fnr, from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    eer = points.fpr[before] + share * (points.fpr[after] - points.fpr[before])
    low, high = points.thresholds[after], points.thresholds[before]
    return float(eer), float(high + share * (low - high) if np.isfinite(high) else low)


def found_at(points: Curve, fpr: float) -> float:
    """Largest share of fakes found at a threshold with at most this share of false alarms."""
    return float(points.tpr[points.fp <= fpr * points.fp[-1] + 1e-9].max())


def best_accuracy(points: Curve) -> tuple[float, float | None]:
    """Highest share judged rightly, and the lowest score called fake there; None for 'nothing is'."""
    real, fakes = points.fp[-1], points.tp[-1]
    right = points.tp + real - points.fp
    best = int(np.argmax(right))
    return float(right[best] / (real + fakes)), float(points.thresholds[best]) if best else None


def checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as columns of one length, int64 and float64; ValueError for other shapes, labels or NaN."""
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} must be two columns of one length")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 (real) or 1 (fake), found {np.setdiff1d(labels, (0, 1))[:5]}")
    if not np.isfinite(scores).all():
        raise ValueError(f"score {np.flatnonzero(~np.isfinite(scores))[0]} is not a finite number")
    return labels.astype(np.int64), scores
