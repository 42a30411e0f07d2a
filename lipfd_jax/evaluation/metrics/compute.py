"""Detection metrics of windows and of videos, from labels and continuous scores."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.evaluation.metrics import calibration_metrics
from lipfd_jax.evaluation.metrics.pooling import MEAN_POOLING, Pooling, pool_videos
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.vocabulary import THRESHOLD

_RELEASED = 0.5  # the released code's


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of scores; None where they can't be had, and `missing` says why.

    Positive means fake. Rates are fractions, not percent.
    """

    n: int
    positives: int
    threshold: float  # a score of at least this is called fake
    tp: int  # fakes called fake
    tn: int  # real called real
    fp: int  # real called fake: false alarms
    fn: int  # fakes called real: misses
    acc: float | None  # share called rightly
    balanced_acc: float | None  # mean of the shares of real ones and of fakes called rightly
    fpr: float | None  # fp / real
    fnr: float | None  # fn / fakes
    f1: float | None  # 2 tp / (2 tp + fp + fn)
    ap: float | None  # average precision: sum of precision x step in recall
    auc: float | None  # area under the ROC curve = chance that a fake scores above a real one, ties half
    partial_auc: float | None  # area up to FPR 10 %, scaled so that guessing is 0.5 (McClish, 1989)
    eer: float | None  # error rate where fpr = fnr, interpolated along the ROC curve
    eer_threshold: float | None  # score at that place
    tpr_at_fpr_1: float | None  # largest share of fakes found with at most 1 % of the real ones called fake
    tpr_at_fpr_5: float | None  # the same at 5 %
    brier: float | None  # mean squared distance of score and label
    log_loss: float | None  # natural logarithm
    ece: float | None  # expected calibration error over 15 bins of equal width
    cllr: float | None  # cost of the log likelihood ratios, bits
    min_cllr: float | None  # the same after the best rising map of the scores
    calibration_loss: float | None  # cllr - min_cllr
    best_acc: float | None  # best accuracy over all thresholds: chosen after the fact, so too hopeful
    best_threshold: float | None  # lowest score called fake there; None where calling nothing fake is best
    missing: str = ""


@dataclass(frozen=True)
class ReleasedMetrics:
    """What the released validation prints; None where it can't be computed."""

    acc: float | None
    ap: float | None  # on predictions already rounded to 0 and 1, so far lower than the usual AP
    fpr: float | None  # in truth the false *negative* rate: the confusion matrix is unpacked in another order
    fnr: float | None  # in truth the false *positive* rate


def compute_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float = THRESHOLD) -> Metrics:
    """All metrics of labels (n,) (0 real, 1 fake) and scores (n,) (probability of fake).

    With one class only, or nothing at all, the figures that compare the classes are None; never an error.
    Raises ValueError for other shapes, other labels, or scores that are not numbers in 0..1.
    """
    labels, scores = check_columns(labels, scores)
    if ((scores < 0) | (scores > 1)).any():
        raise ValueError(f"scores must be probabilities, 0..1, found {scores.min():g} to {scores.max():g}")
    n, positives = len(labels), int(labels.sum())
    both = 0 < positives < n
    return Metrics(
        n=n,
        positives=positives,
        threshold=float(threshold),
        **_at_threshold(labels, scores >= threshold),
        **(_of_both_classes(labels, scores) if both else dict.fromkeys(_COMPARING)),
        **_of_probabilities(labels, scores),
        **_in_hindsight(labels, scores),
        missing="" if both else _missing(n, positives),
    )


def compute_window_metrics(scores: Scores, threshold: float = THRESHOLD) -> Metrics:
    """Metrics with every window counted once."""
    return compute_metrics(scores.label, scores.score, threshold)


def compute_video_metrics(
    scores: Scores, threshold: float = THRESHOLD, pooling: Pooling = MEAN_POOLING
) -> Metrics:
    """Metrics with every video counted once, by its windows' pooled score, not calibrated."""
    videos = pool_videos(scores, pooling)
    return compute_metrics(videos.label, videos.score, threshold)


def compute_released_metrics(scores: Scores) -> ReleasedMetrics:
    """The figures of the released code's validation, with its AP and its naming of the error rates.

    Its threshold is 0.5, whatever other figures are at.
    """
    metrics = compute_window_metrics(scores, _RELEASED)
    hard = compute_metrics(scores.label, (scores.score >= _RELEASED).astype(np.float64))
    return ReleasedMetrics(acc=metrics.acc, ap=hard.ap, fpr=metrics.fnr, fnr=metrics.fpr)


def _at_threshold(labels: np.ndarray, called: np.ndarray) -> dict[str, int | float | None]:
    tn, fp, fn, tp = _confusion(labels, called)
    fpr, fnr = _share(fp, fp + tn), _share(fn, fn + tp)
    return {
        "tp": tp,
        "tn": tn,
        "fp": fp,
        "fn": fn,
        "acc": _share(tp + tn, len(labels)),
        "balanced_acc": None if fpr is None or fnr is None else 1 - (fpr + fnr) / 2,
        "fpr": fpr,
        "fnr": fnr,
        "f1": _share(2 * tp, 2 * tp + fp + fn),
    }


_COMPARING = (
    "ap",
    "auc",
    "partial_auc",
    "eer",
    "eer_threshold",
    "tpr_at_fpr_1",
    "tpr_at_fpr_5",
    "cllr",
    "min_cllr",
    "calibration_loss",
)


def _of_both_classes(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score  # takes a second; no score needs it

    points = compute_curve(labels, scores)
    eer, eer_threshold = compute_eer(points)
    cllr, least = (
        calibration_metrics.compute_cllr(labels, scores),
        calibration_metrics.compute_min_cllr(labels, scores),
    )
    return {
        "ap": float(average_precision_score(labels, scores)),
        "auc": float(roc_auc_score(labels, scores)),
        "partial_auc": float(roc_auc_score(labels, scores, max_fpr=PARTIAL_FPR)),
        "eer": eer,
        "eer_threshold": eer_threshold,
        "tpr_at_fpr_1": compute_tpr_at_fpr(points, 0.01),
        "tpr_at_fpr_5": compute_tpr_at_fpr(points, 0.05),
        "cllr": cllr,
        "min_cllr": least,
        "calibration_loss": cllr - least,
    }


def _of_probabilities(labels: np.ndarray, scores: np.ndarray) -> dict[str, float | None]:
    if not len(labels):
        return dict.fromkeys(("brier", "log_loss", "ece"))
    return {
        "brier": calibration_metrics.compute_brier(labels, scores),
        "log_loss": calibration_metrics.compute_log_loss(labels, scores),
        "ece": calibration_metrics.compute_ece(labels, scores),
    }


def _in_hindsight(labels: np.ndarray, scores: np.ndarray) -> dict[str, float | None]:
    best = compute_best_accuracy(compute_curve(labels, scores)) if len(labels) else (None, None)
    return dict(zip(("best_acc", "best_threshold"), best, strict=True))


def _confusion(labels: np.ndarray, called: np.ndarray) -> tuple[int, int, int, int]:
    if not len(labels):  # scikit-learn refuses an empty one
        return 0, 0, 0, 0
    from sklearn.metrics import confusion_matrix

    return tuple(int(count) for count in confusion_matrix(labels, called, labels=[0, 1]).ravel())


def _missing(n: int, positives: int) -> str:
    if n == 0:
        return "nothing was scored"
    kind = "fake" if positives else "real"
    return f"all {n} are {kind}: AUC, AP and EER compare the two classes"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


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


def compute_curve(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """Counts at every distinct score. labels (n,) 0 real or 1 fake; scores (n,), any finite numbers."""
    labels, scores = check_columns(labels, scores)
    if not len(labels):
        return Curve(np.array([np.inf]), np.zeros(1, np.int64), np.zeros(1, np.int64))
    from sklearn.metrics import confusion_matrix_at_thresholds  # takes a second, and no score needs it

    _, fp, _, tp, thresholds = confusion_matrix_at_thresholds(labels, scores, pos_label=1)
    return Curve(
        np.concatenate([[np.inf], thresholds]),
        np.concatenate([[0], tp]).astype(np.int64),
        np.concatenate([[0], fp]).astype(np.int64),
    )


def compute_eer(points: Curve) -> tuple[float, float]:
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


def compute_tpr_at_fpr(points: Curve, fpr: float) -> float:
    """Largest share of fakes found at a threshold with at most this share of false alarms."""
    return float(points.tpr[points.fp <= fpr * points.fp[-1] + 1e-9].max())


def compute_best_accuracy(points: Curve) -> tuple[float, float | None]:
    """Highest share judged rightly, and the lowest score called fake there; None for 'nothing is'."""
    real, fakes = points.fp[-1], points.tp[-1]
    right = points.tp + real - points.fp
    best = int(np.argmax(right))
    return float(right[best] / (real + fakes)), float(points.thresholds[best]) if best else None


def check_columns(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as columns of one length, int64 and float64; ValueError for other shapes, labels or NaN."""
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} must be two columns of one length")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 (real) or 1 (fake), found {np.setdiff1d(labels, (0, 1))[:5]}")
    if not np.isfinite(scores).all():
        raise ValueError(f"score {np.flatnonzero(~np.isfinite(scores))[0]} is not a finite number")
    return labels.astype(np.int64), scores
