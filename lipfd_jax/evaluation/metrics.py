"""Detection metrics of windows and of videos, from labels and continuous scores."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from lipfd_jax.evaluation.curves import Curve, best_accuracy, checked, curve, equal_error_rate  # noqa: F401
from lipfd_jax.evaluation.pooling import VideoScores, video_scores  # noqa: F401
from lipfd_jax.evaluation.scores import Scores

THRESHOLD = 0.5  # where nothing else is asked for; a score of at least this is called fake: released code


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
    fpr: float | None  # fp / real
    fnr: float | None  # fn / fakes
    ap: float | None  # average precision: sum of precision x step in recall
    auc: float | None  # area under the ROC curve = chance that a fake scores above a real one, ties half
    eer: float | None  # error rate where fpr = fnr, interpolated along the ROC curve
    eer_threshold: float | None  # score at that place
    best_acc: float | None  # best accuracy over all thresholds: chosen after the fact, so too hopeful
    best_threshold: float | None  # lowest score called fake there; None where calling nothing fake is best
    missing: str = ""


@dataclass(frozen=True)
class ReleasedFigures:
    """What the released validation prints; None where it can't be computed."""

    acc: float | None
    ap: float | None  # on predictions already rounded to 0 and 1, so far lower than the usual AP
    fpr: float | None  # in truth the false *negative* rate: the confusion matrix is unpacked in another order
    fnr: float | None  # in truth the false *positive* rate


def compute_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float = THRESHOLD) -> Metrics:
    """All metrics of labels (n,) (0 real, 1 fake) and scores (n,) (probability of fake).

    With one class only, or nothing at all, the figures that compare the classes are None; never an error.
    Raises ValueError for other shapes, other labels or scores that are not finite.
    """
    labels, scores = checked(labels, scores)
    n, positives = len(labels), int(labels.sum())
    tn, fp, fn, tp = _confusion(labels, scores >= threshold)
    points = curve(labels, scores)
    both = 0 < positives < n
    eer, eer_threshold = equal_error_rate(points) if both else (None, None)
    best_acc, best_threshold = best_accuracy(points) if n else (None, None)
    return Metrics(
        n=n,
        positives=positives,
        threshold=float(threshold),
        tp=tp,
        tn=tn,
        fp=fp,
        fn=fn,
        acc=_share(tp + tn, n),
        fpr=_share(fp, n - positives),
        fnr=_share(fn, positives),
        ap=float(average_precision_score(labels, scores)) if both else None,
        auc=float(roc_auc_score(labels, scores)) if both else None,
        eer=eer,
        eer_threshold=eer_threshold,
        best_acc=best_acc,
        best_threshold=best_threshold,
        missing="" if both else _missing(n, positives),
    )


def window_metrics(scores: Scores, threshold: float = THRESHOLD) -> Metrics:
    """Metrics with every window counted once."""
    return compute_metrics(scores.label, scores.score, threshold)


def video_metrics(scores: Scores, threshold: float = THRESHOLD) -> Metrics:
    """Metrics with every video counted once, by the mean of its windows' scores."""
    videos = video_scores(scores)
    return compute_metrics(videos.label, videos.score, threshold)


def generator_scores(scores: Scores) -> dict[str, Scores]:
    """For each generator its fakes together with *all* real windows; empty where no generator is known.

    Fakes without one stand under "" if others have one. Real windows belong to no generator.
    """
    fake = scores.label == 1
    names = sorted(set(scores.generator[fake]))
    if not any(names):
        return {}
    return {name: scores.select(~fake | (scores.generator == name)) for name in names}


def released_figures(scores: Scores) -> ReleasedFigures:
    """The figures of the released code's validation, with its AP and its naming of the error rates.

    Its threshold is 0.5, whatever other figures are at.
    """
    metrics = window_metrics(scores)
    hard = compute_metrics(scores.label, (scores.score >= THRESHOLD).astype(np.float64))
    return ReleasedFigures(acc=metrics.acc, ap=hard.ap, fpr=metrics.fnr, fnr=metrics.fpr)


def _confusion(labels: np.ndarray, called: np.ndarray) -> tuple[int, int, int, int]:
    if not len(labels):  # scikit-learn refuses an empty one
        return 0, 0, 0, 0
    return tuple(int(count) for count in confusion_matrix(labels, called, labels=[0, 1]).ravel())


def _missing(n: int, positives: int) -> str:
    if n == 0:
        return "nothing was scored"
    kind = "fake" if positives else "real"
    return f"all {n} are {kind}: AUC, AP and EER compare the two classes"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
