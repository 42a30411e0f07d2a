"""Decision rule: window pooling, calibration and threshold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration, PoolingKind, logit
from lipfd_jax.evaluation.metrics.scores import Scores, ScoresError
from lipfd_jax.vocabulary import THRESHOLD


@dataclass(frozen=True)
class Pooling:
    """Which of a video's window scores are averaged: all, the highest `top`, or the highest alone."""

    kind: PoolingKind
    top: int | None = None  # for topk: how many of the highest are averaged; a shorter video gives all

    @classmethod
    def parse(cls, text: str) -> "Pooling":
        """Parses a flag: mean, max, or top3 and the like. Raises ValueError for anything else."""
        if text == "mean":
            return cls("mean")
        if text == "max":
            return cls("max")
        match = re.fullmatch(r"top([1-9][0-9]{0,3})", text)
        if not match:
            raise ValueError(f"pooling {text!r}: expected mean, max, or topK such as top3")
        return cls("topk", int(match[1]))

    def __str__(self) -> str:
        if self.kind == "topk":
            return f"mean of a video's {self.top} highest windows"
        return {"mean": "mean of a video's windows", "max": "highest of a video's windows"}[self.kind]


MEAN_POOLING = Pooling("mean")


@dataclass(frozen=True)
class Decision:
    """How windows' scores become a video's verdict."""

    pooling: Pooling = MEAN_POOLING
    # A video whose score (calibrated, if there is a calibration) is at least this is called fake.
    threshold: float = THRESHOLD
    chosen: str = "default"  # where the threshold comes from, in words
    calibration: Calibration | None = None

    @property
    def window_threshold(self) -> float:
        """The same threshold for windows, whose scores are never calibrated."""
        if self.calibration is None:
            return self.threshold
        if self.threshold in (0, 1):
            return float(self.threshold)
        line = self.calibration
        return float(1 / (1 + np.exp(-(logit(self.threshold) - line.intercept) / line.slope)))

    def is_fake(self, scores: np.ndarray | float) -> np.ndarray:
        """Whether pooled scores (any shape, 0..1), calibrated here if need be, reach the threshold."""
        scores = np.asarray(scores, np.float64)
        return (self.calibration.probability(scores) if self.calibration else scores) >= self.threshold

    @property
    def at(self) -> str:
        """The threshold in words; with a calibration, that of windows too."""
        if self.calibration is None:
            return f"{self.threshold:.4g}"
        return f"{self.threshold:.4g} (windows: {self.window_threshold:.4g})"

    def __str__(self) -> str:
        """The rule in one line."""
        kind = f", calibrated ({self.calibration.kind})" if self.calibration else ""
        return f"{self.pooling}{kind}; fake from {self.threshold:.4g} on ({self.chosen})"


DEFAULT_DECISION = Decision()


@dataclass(frozen=True, eq=False)
class VideoScores:
    """Columns of n videos, sorted by id."""

    video: np.ndarray  # object (str)
    label: np.ndarray  # int64
    score: np.ndarray  # float64: the pooled one, or the probability that a calibration makes of it
    pooled: np.ndarray  # float64, before any calibration
    windows: np.ndarray  # int64, how many
    lowest: np.ndarray  # float64, lowest score of a window
    highest: np.ndarray  # float64
    source: np.ndarray  # object (str)
    generator: np.ndarray  # object (str)


def make_decision(
    calibration: Calibration | None = None, *, threshold: float | None = None, pooling: Pooling | None = None
) -> Decision:
    """The decision rule of a run: the checkpoint's calibration, unless the run has its own settings.

    Raises ValueError for another pooling than the calibration was fitted for, or a threshold outside 0..1.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold {threshold}: expected a probability, 0..1")
    if calibration is None:
        chosen = "default" if threshold is None else "chosen for this run"
        return Decision(pooling or MEAN_POOLING, THRESHOLD if threshold is None else threshold, chosen)
    fitted = Pooling(calibration.pooling, calibration.top)
    if pooling not in (None, fitted):
        raise ValueError(
            f"the checkpoint's calibration is of the {fitted}, not of the {pooling}; "
            "leave it out with --calibration=none, or fit another one"
        )
    if threshold is None:
        return Decision(fitted, calibration.threshold, calibration.threshold_choice, calibration)
    return Decision(fitted, threshold, "chosen for this run", calibration)


def pool_videos(
    scores: Scores, pooling: Pooling = MEAN_POOLING, calibration: Calibration | None = None
) -> VideoScores:
    """Pools each video's windows and applies the calibration, if any.

    A video without windows is left out. Raises ScoresError for one with windows of both labels.
    """
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
    pooled = np.clip(_pool_scores(scores.score, index, windows, pooling), lowest, highest)
    return VideoScores(
        video=video,
        label=scores.label[first],
        score=calibration.probability(pooled) if calibration else pooled,
        pooled=pooled,
        windows=windows,
        lowest=lowest,
        highest=highest,
        source=scores.source[first],
        generator=scores.generator[first],
    )


def pool_windows(scores: Sequence[float] | np.ndarray, pooling: Pooling = MEAN_POOLING) -> float:
    """Pooled score of one video from those of its windows (n,), n > 0: equal to that of `pool_videos`."""
    scores = np.asarray(scores, np.float64)
    pooled = _pool_scores(scores, np.zeros(len(scores), np.int64), np.array([len(scores)]), pooling)
    return float(np.clip(pooled[0], scores.min(), scores.max()))


def _pool_scores(scores: np.ndarray, index: np.ndarray, windows: np.ndarray, pooling: Pooling) -> np.ndarray:
    """Pooled scores (videos,) of windows' scores (n,), given each window's video and each video's windows.

    Callers clip them to the video's lowest and highest score: rounding must not carry the mean of equal
    scores past them, as 0.5 has to stay at the threshold.
    """
    top = {"mean": None, "topk": pooling.top, "max": 1}[pooling.kind]
    if top is None:
        return np.bincount(index, scores, len(windows)) / windows
    order = np.lexsort((-scores, index))  # video by video, the highest first
    rank = np.arange(len(scores)) - np.repeat(np.cumsum(windows) - windows, windows)
    taken = order[rank < top]
    return np.bincount(index[taken], scores[taken], len(windows)) / np.minimum(windows, top)
