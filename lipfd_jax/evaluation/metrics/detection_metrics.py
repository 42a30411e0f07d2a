"""Metrics of detection: at a threshold, and over the whole ROC curve.

Each takes a `Sample`. Those named `resample_` take `Resamples` instead and return (d,) values, NaN where a
draw lacks a class; those at a threshold are written in counts that both have, and take either.
"""

from typing import TypeVar

import numpy as np

from lipfd_jax.evaluation.metrics.resamples import Resamples
from lipfd_jax.evaluation.metrics.samples import Curve, Sample

PARTIAL_FPR = 0.1  # upper limit of the partial area under the ROC curve
_ROUNDING = 1e-9  # allowed above a number of false positives

_Counts = TypeVar("_Counts", Sample, Resamples)
Rates = np.float64 | np.ndarray  # one of a sample, (d,) of draws


def compute_accuracy(counts: _Counts) -> Rates:
    """Accuracy: share called rightly."""
    return (counts.tp + counts.real - counts.fp) / (counts.fakes + counts.real)


def compute_balanced_accuracy(counts: _Counts) -> Rates:
    """Mean of the true positive and the true negative rate."""
    return 1 - (compute_fpr(counts) + compute_fnr(counts)) / 2


def compute_fpr(counts: _Counts) -> Rates:
    """False positive rate."""
    return counts.fp / counts.real


def compute_fnr(counts: _Counts) -> Rates:
    """False negative rate."""
    return (counts.fakes - counts.tp) / counts.fakes


def compute_f1(counts: _Counts) -> Rates:
    """F1: 2 tp / (2 tp + fp + fn)."""
    return 2 * counts.tp / (counts.tp + counts.fp + counts.fakes)


def compute_average_precision(sample: Sample) -> float:
    """Average precision, scikit-learn's: sum of precision x step in recall."""
    from sklearn.metrics import average_precision_score  # import takes a second; scoring needs none

    return average_precision_score(sample.labels, sample.scores)


def resample_average_precision(draws: Resamples) -> np.ndarray:
    """Average precision of each draw."""
    tp, fp = draws.curve.tp, draws.curve.fp
    precision = np.nan_to_num(tp[:, 1:] / (tp[:, 1:] + fp[:, 1:]))
    return (np.diff(tp) * precision).sum(1) / draws.fakes


def compute_auc(sample: Sample) -> float:
    """Area under the ROC curve, scikit-learn's: chance that a fake scores above a real one, ties half."""
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(sample.labels, sample.scores)


def resample_auc(draws: Resamples) -> np.ndarray:
    """Area under the ROC curve of each draw."""
    tp, fp = draws.curve.tp, draws.curve.fp
    return (np.diff(fp) * (tp[:, 1:] + tp[:, :-1])).sum(1) / (2 * draws.fakes * draws.real)


def compute_partial_auc(sample: Sample) -> float:
    """Area up to `PARTIAL_FPR`, scaled so that guessing is 0.5 and perfect is 1 (McClish, 1989)."""
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(sample.labels, sample.scores, max_fpr=PARTIAL_FPR)


def resample_partial_auc(draws: Resamples) -> np.ndarray:
    """Partial area of each draw, scaled alike."""
    tpr, fpr = draws.curve.tpr, draws.curve.fpr
    width = np.diff(fpr)
    inside = np.clip(PARTIAL_FPR - fpr[:, :-1], 0, width)
    slope = np.where(width > 0, np.diff(tpr) / width, 0)
    area = (inside * (tpr[:, :-1] + slope * inside / 2)).sum(1)
    least = PARTIAL_FPR**2 / 2
    return (1 + (area - least) / (PARTIAL_FPR - least)) / 2


def compute_eer(points: Curve) -> tuple[float, float]:
    """Equal error rate, where fpr = fnr, and the score there; needs both classes.

    scikit-learn gives the curve's points alone; rate and score are interpolated linearly between the two
    points around the crossing.
    """
    gap = points.fpr + points.tpr - 1  # fpr - fnr, from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    eer = points.fpr[before] + share * (points.fpr[after] - points.fpr[before])
    low, high = points.thresholds[after], points.thresholds[before]
    return float(eer), float(high + share * (low - high) if np.isfinite(high) else low)


def find_eer(sample: Sample) -> tuple[float, float]:
    """Equal error rate and its threshold."""
    return compute_eer(sample.curve)


def resample_eer(draws: Resamples) -> tuple[np.ndarray, np.ndarray]:
    """Equal error rate of each draw and its threshold, interpolated alike."""
    curve, fpr = draws.curve, draws.curve.fpr
    gap = fpr + curve.tpr - 1
    after = np.maximum(np.argmax(gap >= 0, 1), 1)[:, None]
    # The first of points that no drawn score separates: thresholds of the others are of scores not drawn.
    before = np.argmax(gap >= np.take_along_axis(gap, after - 1, 1), 1)[:, None]
    (gap0, gap1), (fpr0, fpr1) = (
        [np.take_along_axis(values, index, 1)[:, 0] for index in (before, after)] for values in (gap, fpr)
    )
    share = gap0 / (gap0 - gap1)
    high, low = curve.thresholds[before[:, 0]], curve.thresholds[after[:, 0]]
    between = high + share * (low - high)
    return fpr0 + share * (fpr1 - fpr0), np.where(np.isfinite(high), between, low)


def compute_tpr_at_fpr(points: Curve, fpr: float) -> float:
    """Largest true positive rate at a threshold with at most this false positive rate, not interpolated."""
    return float(points.tpr[points.fp <= fpr * points.fp[-1] + _ROUNDING].max())


def resample_tpr_at_fpr(draws: Resamples, fpr: float) -> np.ndarray:
    """The same of each draw."""
    allowed = fpr * draws.real[:, None] + _ROUNDING
    return np.where(draws.curve.fp <= allowed, draws.curve.tpr, 0).max(1)


def find_best_accuracy(sample: Sample) -> tuple[float, float]:
    """Highest accuracy over all thresholds, and the lowest score called fake there.

    NaN instead of that score where calling nothing fake is best.
    """
    points = sample.curve
    right = points.tp + points.fp[-1] - points.fp
    best = int(np.argmax(right))
    return right[best] / len(sample), float(points.thresholds[best]) if best else np.nan


def resample_best_accuracy(draws: Resamples) -> np.ndarray:
    """Highest accuracy of each draw over all thresholds."""
    right = draws.curve.tp + draws.real[:, None] - draws.curve.fp
    return right.max(1) / (draws.fakes + draws.real)
