"""Detection metrics of windows and of videos, from labels and continuous scores, in plain numpy."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.evaluation.scores import Scores, ScoresError

THRESHOLD = 0.5  # a score of at least this is called fake, as in the released code


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of scores; None where they can't be had, and `missing` says why.

    Positive means fake. Rates are fractions, not percent.
    """

    n: int
    positives: int
    tp: int  # fakes called fake at 0.5
    tn: int  # real called real
    fp: int  # real called fake: false alarms
    fn: int  # fakes called real: misses
    acc: float | None  # share called rightly at 0.5
    fpr: float | None  # fp / real, at 0.5
    fnr: float | None  # fn / fakes, at 0.5
    ap: float | None  # average precision: sum of precision x step in recall, as in scikit-learn
    auc: float | None  # area under the ROC curve = chance that a fake scores above a real one, ties half
    eer: float | None  # error rate where fpr = fnr, interpolated along the ROC curve
    eer_threshold: float | None  # score at that place
    best_acc: float | None  # best accuracy over all thresholds: chosen after the fact, so too hopeful
    best_threshold: float | None  # lowest score called fake there; None where calling nothing fake is best
    missing: str = ""


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


@dataclass(frozen=True, eq=False)
class VideoScores:
    """Columns of n videos, sorted by id; the score is the mean of the video's windows."""

    video: np.ndarray  # object (str)
    label: np.ndarray  # int64
    score: np.ndarray  # float64
    windows: np.ndarray  # int64, how many
    lowest: np.ndarray  # float64, lowest score of a window
    highest: np.ndarray  # float64
    source: np.ndarray  # object (str)
    generator: np.ndarray  # object (str)


@dataclass(frozen=True)
class ReleasedFigures:
    """What the released validation prints; None where it can't be computed."""

    acc: float | None
    ap: float | None  # on predictions already rounded to 0 and 1, so far lower than the usual AP
    fpr: float | None  # in truth the false *negative* rate: the confusion matrix is unpacked in another order
    fnr: float | None  # in truth the false *positive* rate


def curve(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """Counts at every distinct score. labels (n,) 0 real or 1 fake; scores (n,), any finite numbers."""
    labels, scores = _checked(labels, scores)
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))[: len(scores)]  # ends of runs of ties
    tp = np.cumsum(labels)[last]
    return Curve(
        np.concatenate([[np.inf], scores[last]]),
        np.concatenate([[0], tp]).astype(np.int64),
        np.concatenate([[0], last + 1 - tp]).astype(np.int64),
    )


def compute_metrics(labels: np.ndarray, scores: np.ndarray) -> Metrics:
    """All metrics of labels (n,) (0 real, 1 fake) and scores (n,) (probability of fake).

    With one class only, or nothing at all, the figures that compare the classes are None; never an error.
    Raises ValueError for other shapes, other labels or scores that are not finite.
    """
    labels, scores = _checked(labels, scores)
    n, positives = len(labels), int(labels.sum())
    called = scores >= THRESHOLD
    tp, fp = int((called & (labels == 1)).sum()), int((called & (labels == 0)).sum())
    fn, tn = positives - tp, n - positives - fp
    points = curve(labels, scores)
    both = 0 < positives < n
    eer, eer_threshold = _eer(points) if both else (None, None)
    best_acc, best_threshold = _best(points, n, positives) if n else (None, None)
    return Metrics(
        n=n,
        positives=positives,
        tp=tp,
        tn=tn,
        fp=fp,
        fn=fn,
        acc=_share(tp + tn, n),
        fpr=_share(fp, n - positives),
        fnr=_share(fn, positives),
        ap=_ap(points) if both else None,
        auc=_auc(points) if both else None,
        eer=eer,
        eer_threshold=eer_threshold,
        best_acc=best_acc,
        best_threshold=best_threshold,
        missing="" if both else _missing(n, positives),
    )


def window_metrics(scores: Scores) -> Metrics:
    """Metrics with every window counted once."""
    return compute_metrics(scores.label, scores.score)


def video_metrics(scores: Scores) -> Metrics:
    """Metrics with every video counted once, by the mean of its windows' scores."""
    videos = video_scores(scores)
    return compute_metrics(videos.label, videos.score)


def video_scores(scores: Scores) -> VideoScores:
    """Mean of each video's windows. Raises ScoresError for a video with windows of both labels."""
    video, first, index = np.unique(scores.video, return_index=True, return_inverse=True)
    windows = np.bincount(index, minlength=len(video))
    mixed = np.flatnonzero(scores.label != scores.label[first][index])
    if mixed.size:
        raise ScoresError(
            f"video {scores.video[mixed[0]]!r} has windows labelled real and windows labelled fake"
        )
    lowest, highest = np.full(len(video), np.inf), np.full(len(video), -np.inf)
    np.minimum.at(lowest, index, scores.score)
    np.maximum.at(highest, index, scores.score)
    return VideoScores(
        video=video,
        label=scores.label[first],
        # Rounding must not carry the mean of equal scores past them: 0.5 has to stay at the threshold.
        score=np.clip(np.bincount(index, scores.score, len(video)) / windows, lowest, highest),
        windows=windows,
        lowest=lowest,
        highest=highest,
        source=scores.source[first],
        generator=scores.generator[first],
    )


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
    """The figures of the released code's validation, with its AP and its naming of the error rates."""
    metrics = window_metrics(scores)
    hard = compute_metrics(scores.label, (scores.score >= THRESHOLD).astype(np.float64))
    return ReleasedFigures(acc=metrics.acc, ap=hard.ap, fpr=metrics.fnr, fnr=metrics.fpr)


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} must be two columns of one length")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 (real) or 1 (fake), found {np.setdiff1d(labels, (0, 1))[:5]}")
    if not np.isfinite(scores).all():
        raise ValueError(f"score {np.flatnonzero(~np.isfinite(scores))[0]} is not a finite number")
    return labels.astype(np.int64), scores


def _missing(n: int, positives: int) -> str:
    if n == 0:
        return "nothing was scored"
    kind = "fake" if positives else "real"
    return f"all {n} are {kind}: AUC, AP and EER compare the two classes"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _auc(points: Curve) -> float:
    # Trapezoids in whole numbers: a run of ties is one sloping step and counts half.
    area = np.sum(np.diff(points.fp) * (points.tp[1:] + points.tp[:-1]))
    return float(area / (2 * int(points.tp[-1]) * int(points.fp[-1])))


def _ap(points: Curve) -> float:
    precision = points.tp[1:] / (points.tp[1:] + points.fp[1:])
    return float(np.sum(np.diff(points.tpr) * precision))


def _eer(points: Curve) -> tuple[float, float]:
    """Crossing of fpr and fnr on the straight line between the two points around it, and its threshold."""
    gap = points.fpr + points.tpr - 1  # fpr - fnr, from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    eer = points.fpr[before] + share * (points.fpr[after] - points.fpr[before])
    low, high = points.thresholds[after], points.thresholds[before]
    return float(eer), float(high + share * (low - high) if np.isfinite(high) else low)


def _best(points: Curve, n: int, positives: int) -> tuple[float, float | None]:
    right = points.tp + (n - positives) - points.fp
    best = int(np.argmax(right))
    return float(right[best] / n), float(points.thresholds[best]) if best else None
