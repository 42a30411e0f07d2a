"""Decision rule: window pooling, calibration and threshold."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lipfd_jax.checkpoints.calibration import REMEDY, Calibration, logit
from lipfd_jax.evaluation.metrics.scores import Scores, ScoresError
from lipfd_jax.vocabulary import THRESHOLD

Pool = Callable[[np.ndarray, np.ndarray, np.ndarray, int | None], np.ndarray]


@dataclass(frozen=True)
class PoolingKind:
    """A way to pool windows' scores to videos' scores."""

    flag: str  # as --pooling gives it; a K at its end stands for the number `top`
    description: str  # describes a pooled score; {top} becomes the number
    # Returns pooled scores (videos,) of windows' scores (n,), each window's video (n,), as an index, each
    # video's number of windows (videos,), and `top`. Callers clip them to the video's lowest and highest
    # score: rounding must not carry the mean of equal scores past them, as 0.5 has to stay at the threshold.
    pool: Pool


def _pool_mean(scores: np.ndarray, index: np.ndarray, windows: np.ndarray, top: int | None) -> np.ndarray:
    del top
    return np.bincount(index, scores, len(windows)) / windows


def _pool_max(scores: np.ndarray, index: np.ndarray, windows: np.ndarray, top: int | None) -> np.ndarray:
    del top
    return _pool_top(scores, index, windows, 1)


def _pool_top(scores: np.ndarray, index: np.ndarray, windows: np.ndarray, top: int | None) -> np.ndarray:
    """The mean of the highest; a video of fewer windows gives all."""
    assert top is not None  # see Pooling
    order = np.lexsort((-scores, index))  # video by video, the highest first
    rank = np.arange(len(scores)) - np.repeat(np.cumsum(windows) - windows, windows)
    taken = order[rank < top]
    return np.bincount(index[taken], scores[taken], len(windows)) / np.minimum(windows, top)


# By name, as calibration.json and metrics.json store it. A new pooling is an entry here and its function, and
# its name in docs/evaluation.md. `python -m lipfd_jax.tools.schemas` generates the schema.
POOLINGS = {
    "mean": PoolingKind("mean", "mean of a video's windows", _pool_mean),
    "topk": PoolingKind("topK", "mean of a video's {top} highest windows", _pool_top),
    "max": PoolingKind("max", "highest of a video's windows", _pool_max),
}


@dataclass(frozen=True)
class Pooling:
    """How window scores are pooled to a video score.

    Raises:
      ValueError: an unknown kind, or a number of windows that the kind does not have or lacks.
    """

    kind: str  # a name in POOLINGS
    top: int | None = None  # number of windows, for a kind whose flag ends in K

    def __post_init__(self) -> None:
        if self.kind not in POOLINGS:
            raise ValueError(f"pooling {self.kind!r}: expected one of {', '.join(POOLINGS)}")
        if (self.top is not None) != POOLINGS[self.kind].flag.endswith("K"):
            raise ValueError(
                f"pooling {self.kind!r} with top={self.top!r}: expected {POOLINGS[self.kind].flag}"
            )

    @classmethod
    def parse(cls, text: str) -> "Pooling":
        """Parses a flag: mean, max, or top3 and the like. Raises ValueError for anything else."""
        for name, kind in POOLINGS.items():
            match = re.fullmatch(re.sub("K$", "([1-9][0-9]{0,3})", kind.flag), text)
            if match:
                return cls(name, *map(int, match.groups()))
        known = ", ".join(kind.flag for kind in POOLINGS.values())
        raise ValueError(f"pooling {text!r}: expected one of {known}; K is a number of windows, as in top3")

    def __str__(self) -> str:
        return POOLINGS[self.kind].description.format(top=self.top)


def describe_poolings() -> str:
    """All poolings as flags give them, each with its description."""
    return "; ".join(f"{kind.flag}, the {kind.description.format(top='K')}" for kind in POOLINGS.values())


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

    Raises ValueError for another pooling than the calibration was fitted for, one that is unknown, or a
    threshold outside 0..1.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold {threshold}: expected a probability, 0..1")
    if calibration is None:
        chosen = "default" if threshold is None else "chosen for this run"
        return Decision(pooling or MEAN_POOLING, THRESHOLD if threshold is None else threshold, chosen)
    fitted = _read_pooling(calibration)
    if pooling not in (None, fitted):
        raise ValueError(
            f"the checkpoint's calibration is of the {fitted}, not of the {pooling}; "
            "leave it out with --calibration=none, or fit another one"
        )
    if threshold is None:
        return Decision(fitted, calibration.threshold, calibration.threshold_choice, calibration)
    return Decision(fitted, threshold, "chosen for this run", calibration)


def _read_pooling(calibration: Calibration) -> Pooling:
    try:
        return Pooling(calibration.pooling, calibration.top)
    except ValueError as error:
        raise ValueError(f"the checkpoint's calibration can't be applied: {error}; {REMEDY}") from error


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
    pooled = POOLINGS[pooling.kind].pool(scores.score, index, windows, pooling.top)
    pooled = np.clip(pooled, lowest, highest)
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
    index, windows = np.zeros(len(scores), np.int64), np.array([len(scores)])
    pooled = POOLINGS[pooling.kind].pool(scores, index, windows, pooling.top)
    return float(np.clip(pooled[0], scores.min(), scores.max()))
