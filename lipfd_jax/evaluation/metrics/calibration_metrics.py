"""Calibration metrics: Brier score, log loss, ECE, Cllr and minCllr.

A log likelihood ratio is the logit of a score: a score is taken as the odds of fake where real and fake are
equally likely beforehand. Functions take labels (n,), 0 real or 1 fake, and scores (n,), probabilities of
fake; those named `resample_` take bootstrap draws and return (d,) values, NaN where a draw lacks a class.
"""

import numpy as np

from lipfd_jax.checkpoints.calibration import logit
from lipfd_jax.evaluation.metrics.resamples import Resamples

BINS = 15  # bins of equal width over 0..1, for the expected calibration error


def compute_brier(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean squared distance of score and label; 0 is perfect, 0.25 is always saying 0.5."""
    from sklearn.metrics import brier_score_loss  # import takes a second; scoring needs none

    return float(brier_score_loss(labels, scores, pos_label=1, labels=[0, 1], scale_by_half=True))


def compute_log_loss(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean negative natural logarithm of the probability given to the truth; `logit` caps 0 and 1."""
    from sklearn.metrics import log_loss

    return float(log_loss(labels, 1 / (1 + np.exp(-logit(scores))), labels=[0, 1]))


def assign_bins(scores: np.ndarray) -> np.ndarray:
    """Bin of each score, int64; a score on an edge belongs to the bin above it."""
    return np.minimum((np.asarray(scores) * BINS).astype(np.int64), BINS - 1)


def compute_ece(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean over `BINS` bins, by their number of scores, of |mean score - share of fakes|.

    scikit-learn has none. The value depends on the bins, and with few scores it is too high.
    """
    bins = assign_bins(scores)
    gap = np.bincount(bins, scores, BINS) - np.bincount(bins, labels, BINS)
    return float(np.abs(gap).sum() / len(scores))


def compute_cllr_costs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Cost of each score, in bits: log2(1 + 1/LR) of a fake, log2(1 + LR) of a real one."""
    sign = 1 - 2 * np.asarray(labels)  # logaddexp(0, x) = ln(1 + e^x)
    return np.logaddexp(0, sign * logit(scores)) / np.log(2)


def compute_cllr(labels: np.ndarray, scores: np.ndarray) -> float:
    """Cost of the log likelihood ratios, in bits; both classes count alike (Brummer and du Preez, 2006).

    0 is perfect, 1 is the cost of LR 1 for everything; above 1 the ratios do harm.
    """
    costs, fake = compute_cllr_costs(labels, scores), np.asarray(labels) == 1
    return float((costs[fake].mean() + costs[~fake].mean()) / 2)


def compute_min_cllr(labels: np.ndarray, scores: np.ndarray) -> float:
    """Cllr after the best monotonic map of these very scores: the loss of discrimination, not of scale."""
    _, place = np.unique(scores, return_inverse=True)
    fakes = np.bincount(place, labels)
    return compute_min_cllr_from_counts(fakes, np.bincount(place) - fakes)


def compute_min_cllr_from_counts(fakes: np.ndarray, real: np.ndarray) -> float:
    """minCllr from the numbers of fakes and real samples at each distinct score, in ascending order.

    The isotonic fit (pool adjacent violators) gives each score the share of fakes in its pool; against the
    share of fakes in all that is a likelihood ratio, 0 or infinite in pools of one class, which cost nothing.
    """
    from sklearn.isotonic import isotonic_regression

    total = fakes + real
    present = total > 0
    fakes, real, total = fakes[present], real[present], total[present]
    share = isotonic_regression(fakes / total, sample_weight=total)
    pools = np.concatenate([[0], np.flatnonzero(np.diff(share)) + 1])  # few, whatever the number of scores
    fakes, real = np.add.reduceat(fakes, pools), np.add.reduceat(real, pools)
    prior = fakes.sum() / real.sum()
    both = (fakes > 0) & (real > 0)
    fakes_there, real_there = fakes[both], real[both]
    ratio = fakes_there / real_there / prior
    cost_of_fakes = fakes_there @ np.log2(1 + 1 / ratio) / fakes.sum()
    return float((cost_of_fakes + real_there @ np.log2(1 + ratio) / real.sum()) / 2)


def resample_brier(draws: Resamples) -> np.ndarray:
    """Brier score of each draw."""
    squared = (draws.sample.scores - draws.sample.labels) ** 2
    return draws.weights @ squared / (draws.fakes + draws.real)


def resample_log_loss(draws: Resamples) -> np.ndarray:
    """Log loss of each draw; a score's cost in nats is its cost in bits times log 2."""
    return np.log(2) * (draws.weights @ _compute_costs(draws)) / (draws.fakes + draws.real)


def resample_ece(draws: Resamples) -> np.ndarray:
    """Expected calibration error of each draw."""
    bins, gap = assign_bins(draws.sample.scores), draws.sample.scores - draws.sample.labels
    gaps = [draws.weights[:, bins == k] @ gap[bins == k] for k in range(BINS)]
    return np.abs(gaps).sum(0) / (draws.fakes + draws.real)


def resample_cllr(draws: Resamples) -> np.ndarray:
    """Cllr of each draw."""
    costs, fake = _compute_costs(draws), draws.sample.labels == 1
    cost_of_fakes = draws.weights[:, fake] @ costs[fake] / draws.fakes
    return (cost_of_fakes + draws.weights[:, ~fake] @ costs[~fake] / draws.real) / 2


def resample_min_cllr(draws: Resamples) -> np.ndarray:
    """minCllr of each draw, by isotonic regression draw by draw: most of the work of all metrics."""
    # Curves run from the highest score down, isotonic maps from the lowest up.
    fakes, real = (np.diff(counts)[:, ::-1] for counts in (draws.curve.tp, draws.curve.fp))
    rows = zip(fakes, real, strict=True)
    return np.array([compute_min_cllr_from_counts(f, r) if f.any() and r.any() else np.nan for f, r in rows])


def _compute_costs(draws: Resamples) -> np.ndarray:
    return compute_cllr_costs(draws.sample.labels, draws.sample.scores)
