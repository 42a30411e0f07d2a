"""Metrics of one set of scores with their intervals: of windows, of videos, and of subsets of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import (
    DEFAULT_BOOTSTRAP,
    BootstrapSettings,
    Intervals,
    compute_intervals,
)
from lipfd_jax.evaluation.metrics.compute import Metrics, compute_metrics
from lipfd_jax.evaluation.metrics.metric import Granularity
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION, Decision, VideoScores, pool_videos
from lipfd_jax.evaluation.metrics.scores import Scores

ID_LIMITS = (3028,)  # AVLips: the official validation set has no id above it
UNKNOWN_GENERATOR = "(unknown)"
_MAX_SOURCES = 100  # with more, metrics source by source are not worth reading

PartKind = Literal["generator", "id_range", "source"]  # by what scores are divided
Parts = Mapping[PartKind, Mapping[str, "MetricSummary"]]  # kind -> name of the part -> metrics


@dataclass(frozen=True)
class MetricSet:
    """Metrics of windows or of videos with their intervals."""

    metrics: Metrics
    intervals: Intervals


@dataclass(frozen=True)
class MetricSummary:
    """Metrics of windows and videos under a decision."""

    windows: MetricSet
    videos: MetricSet
    decision: Decision = DEFAULT_DECISION
    parts: Parts = field(default_factory=dict)


def summarise_scores(
    scores: Scores, decision: Decision = DEFAULT_DECISION, bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP
) -> MetricSummary:
    """Metrics and intervals of all windows and videos, by generator, by range of ids and by source.

    By source only where there are two to a hundred, and without intervals: one source is one draw.
    """
    kinds: dict[PartKind, Mapping[str, Scores]] = {
        "generator": split_by_generator(scores),
        "id_range": split_by_id_range(scores),
    }
    parts = {
        kind: {name: _summarise_part(part, decision, bootstrap) for name, part in found.items()}
        for kind, found in kinds.items()
        if found
    }
    if 2 <= len(np.unique(scores.source)) <= _MAX_SOURCES:
        by_source = split_by_source(scores)
        parts["source"] = {name: _summarise_part(part, decision, None) for name, part in by_source.items()}
    whole = _summarise_part(scores, decision, bootstrap)
    return MetricSummary(whole.windows, whole.videos, decision, parts)


def split_by_generator(scores: Scores) -> dict[str, Scores]:
    """For each generator its fakes together with *all* real windows; empty where no generator is known.

    Fakes of an unknown generator are under "" if others have one. Real windows belong to no generator.
    """
    fake = scores.label == 1
    names = sorted(set(scores.generator[fake]))
    if not any(names):
        return {}
    return {name: scores.select(~fake | (scores.generator == name)) for name in names}


def split_by_id_range(scores: Scores, limits: tuple[int, ...] = ID_LIMITS) -> dict[str, Scores]:
    """Windows by the number that is their source, as AVLips names them: "0-3028", "from 3029".

    Empty where a source is not a number, or all are in one range.
    """
    if not len(scores) or not all(name.isascii() and name.isdigit() for name in scores.source):
        return {}
    part = np.searchsorted(limits, [int(name[:18]) for name in scores.source])
    starts = (0, *(limit + 1 for limit in limits))
    names = [f"{start}-{end}" for start, end in zip(starts, limits, strict=False)] + [f"from {starts[-1]}"]
    found = {name: scores.select(part == number) for number, name in enumerate(names)}
    found = {name: one for name, one in found.items() if len(one)}
    return found if len(found) > 1 else {}


def split_by_source(scores: Scores) -> dict[str, Scores]:
    """Windows by source: the group of videos that share footage or a person."""
    order = np.argsort(scores.source, kind="stable")
    names, starts = np.unique(scores.source[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {str(name): scores.select(np.sort(part)) for name, part in zip(names, parts, strict=False)}


def _summarise_part(scores: Scores, decision: Decision, bootstrap: BootstrapSettings | None) -> MetricSummary:
    videos = pool_videos(scores, decision.pooling, decision.calibration)
    return MetricSummary(
        _compute_set(scores, "windows", decision.window_threshold, bootstrap),
        _compute_set(videos, "videos", decision.threshold, bootstrap),
        decision,
    )


def _compute_set(
    columns: Scores | VideoScores,
    granularity: Granularity,
    threshold: float,
    bootstrap: BootstrapSettings | None,
) -> MetricSet:
    labels, scores, sources = columns.label, columns.score, columns.source
    metrics = compute_metrics(labels, scores, threshold, sources=sources, granularity=granularity)
    if bootstrap is None:
        return MetricSet(metrics, Intervals())
    found = compute_intervals(labels, scores, sources, threshold, bootstrap, granularity=granularity)
    return MetricSet(metrics, found)
