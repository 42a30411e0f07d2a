"""From the scores of a video's windows to the score of the video."""

import re
from dataclasses import dataclass

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.evaluation.scores import Scores, ScoresError


@dataclass(frozen=True)
class Pooling:
    """How the scores of a video's windows become one: all, the highest `top`, or the highest alone."""

    kind: str  # mean, topk or max, as in `Calibration`
    top: int | None = None  # for topk: how many of the highest are averaged; a shorter video gives all

    @classmethod
    def parse(cls, text: str) -> "Pooling":
        """From a flag: mean, max, or top3 and the like. ValueError for anything else."""
        if text in ("mean", "max"):
            return cls(text)
        match = re.fullmatch(r"top([1-9][0-9]{0,3})", text)
        if not match:
            raise ValueError(f"pooling {text!r}: expected mean, max, or topK such as top3")
        return cls("topk", int(match[1]))

    def __str__(self) -> str:
        if self.kind == "topk":
            return f"mean of a video's {self.top} highest windows"
        return {"mean": "mean of a video's windows", "max": "highest of a video's windows"}[self.kind]


MEAN = Pooling("mean")


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


def video_scores(
    scores: Scores, pooling: Pooling = MEAN, calibration: Calibration | None = None
) -> VideoScores:
    """Pools each video's windows and applies the calibration, if any.

    A video without a window is not there. Raises ScoresError for one with windows of both labels.
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
    # Rounding must not carry the mean of equal scores past them: 0.5 has to stay at the threshold.
    pooled = np.clip(_pooled(scores.score, index, windows, pooling), lowest, highest)
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


def _pooled(scores: np.ndarray, index: np.ndarray, windows: np.ndarray, pooling: Pooling) -> np.ndarray:
    top = {"mean": None, "topk": pooling.top, "max": 1}[pooling.kind]
    if top is None:
        return np.bincount(index, scores, len(windows)) / windows
    order = np.lexsort((-scores, index))  # video by video, the highest first
    rank = np.arange(len(scores)) - np.repeat(np.cumsum(windows) - windows, windows)
    taken = order[rank < top]
    return np.bincount(index[taken], scores[taken], len(windows)) / np.minimum(windows, top)
