"""All figures of one set of scores with their intervals: of windows, of videos, and of parts of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import DRAWING, Drawing, Intervals, intervals
from lipfd_jax.evaluation.metrics.compute import Metrics, compute_metrics
from lipfd_jax.evaluation.metrics.pooling import PLAIN, Decision, video_scores
from lipfd_jax.evaluation.metrics.scores import Scores

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


ID_LIMITS = (3028,)  # AVLips: the official validation set has no id above it
UNKNOWN_GENERATOR = "(unknown)"


def generator_scores(scores: Scores) -> dict[str, Scores]:
    """For each generator its fakes together with *all* real windows; empty where no generator is known.

    Fakes without one stand under "" if others have one. Real windows belong to no generator.
    """
    fake = scores.label == 1
    names = sorted(set(scores.generator[fake]))
    if not any(names):
        return {}
    return {name: scores.select(~fake | (scores.generator == name)) for name in names}


def id_range_scores(scores: Scores, limits: tuple[int, ...] = ID_LIMITS) -> dict[str, Scores]:
    """Windows by the number that is their source, as AVLips names them: "0-3028", "from 3029".

    Empty where a source is not a number, or all lie in one range.
    """
    if not len(scores) or not all(name.isascii() and name.isdigit() for name in scores.source):
        return {}
    part = np.searchsorted(limits, [int(name[:18]) for name in scores.source])
    starts = (0, *(limit + 1 for limit in limits))
    names = [f"{start}-{end}" for start, end in zip(starts, limits, strict=False)] + [f"from {starts[-1]}"]
    found = {name: scores.select(part == number) for number, name in enumerate(names)}
    found = {name: one for name, one in found.items() if len(one)}
    return found if len(found) > 1 else {}


def source_scores(scores: Scores) -> dict[str, Scores]:
    """Windows by source: the group of videos that share footage or a person."""
    order = np.argsort(scores.source, kind="stable")
    names, starts = np.unique(scores.source[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {str(name): scores.select(np.sort(part)) for name, part in zip(names, parts, strict=False)}
