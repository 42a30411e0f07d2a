"""All figures of one set of scores with their intervals: of windows, of videos, and of parts of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lipfd_jax.evaluation.bootstrap import DRAWING, Drawing, Intervals, intervals
from lipfd_jax.evaluation.decision import PLAIN, Decision
from lipfd_jax.evaluation.metrics import Metrics, compute_metrics
from lipfd_jax.evaluation.pooling import video_scores
from lipfd_jax.evaluation.scores import Scores
from lipfd_jax.evaluation.subsets import generator_scores, id_range_scores, source_scores

_LISTED_SOURCES = 100  # with more, figures source by source are no longer worth reading


@dataclass(frozen=True)
class Level:
    """Figures of windows or of videos."""

    metrics: Metrics
    intervals: Intervals


@dataclass(frozen=True)
class Summary:
    """What `scores` amount to under a decision."""

    windows: Level
    videos: Level
    decision: Decision = PLAIN
    parts: Mapping[str, Mapping[str, "Summary"]] = field(default_factory=dict)  # kind -> name -> figures


def summarise(scores: Scores, decision: Decision = PLAIN, drawing: Drawing = DRAWING) -> Summary:
    """Figures and intervals of all windows and videos, by generator, by range of ids and by source.

    By source only where there are two to a hundred, and without intervals: one source is one draw.
    """
    kinds = {"generator": generator_scores(scores), "id_range": id_range_scores(scores)}
    parts = {
        kind: {name: _whole(part, decision, drawing) for name, part in found.items()}
        for kind, found in kinds.items()
        if found
    }
    if 2 <= len(np.unique(scores.source)) <= _LISTED_SOURCES:
        parts["source"] = {name: _whole(part, decision, None) for name, part in source_scores(scores).items()}
    whole = _whole(scores, decision, drawing)
    return Summary(whole.windows, whole.videos, decision, parts)


def _whole(scores: Scores, decision: Decision, drawing: Drawing | None) -> Summary:
    videos = video_scores(scores, decision.pooling, decision.calibration)
    return Summary(
        _level(scores.label, scores.score, scores.source, decision.window_threshold, drawing),
        _level(videos.label, videos.score, videos.source, decision.threshold, drawing),
        decision,
    )


def _level(
    labels: np.ndarray, scores: np.ndarray, sources: np.ndarray, threshold: float, drawing: Drawing | None
) -> Level:
    found = intervals(labels, scores, sources, threshold, drawing) if drawing else Intervals()
    return Level(compute_metrics(labels, scores, threshold), found)
