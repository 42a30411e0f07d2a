"""Metrics of a suite: of each perturbation, and means over the severities of a kind, against clean videos."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings, Intervals, draw_sources
from lipfd_jax.evaluation.metrics.compute import compute_metrics, resample_metrics
from lipfd_jax.evaluation.metrics.pooling import Decision, VideoScores, pool_videos
from lipfd_jax.evaluation.metrics.samples import Sample
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.metrics.table import list_metrics
from lipfd_jax.evaluation.suites.results import Interval, PerturbationResult
from lipfd_jax.perturbations.perturbation import CLEAN, Perturbation

_METRICS = tuple(metric.name for metric in list_metrics("suites"))
_DIFFERENCES = tuple(metric.name for metric in list_metrics("suite_differences"))  # with intervals


def compute_results(
    perturbations: Sequence[Perturbation],
    scores: Mapping[str, Scores],
    decision: Decision,
    bootstrap: BootstrapSettings,
) -> list[PerturbationResult]:
    """Results of each scored perturbation, clean first, with intervals from the same draws of sources."""
    clean = _pool_scores(scores[CLEAN.name], decision)
    return [
        _compare_columns(
            one.kind, one.severity, [_pool_scores(scores[one.name], decision)], clean, decision, bootstrap
        )
        for one in (CLEAN, *perturbations)
        if one.name in scores
    ]


def compute_means(
    results: Sequence[PerturbationResult],
    scores: Mapping[str, Scores],
    decision: Decision,
    bootstrap: BootstrapSettings,
) -> list[PerturbationResult]:
    """Means over the severities of each kind, with intervals of the mean."""
    clean = _pool_scores(scores[CLEAN.name], decision)
    found = []
    for kind in dict.fromkeys(one.kind for one in results if not one.is_clean):
        pooled = [_pool_scores(scores[one.name], decision) for one in results if one.kind == kind]
        found.append(_compare_columns(kind, "mean", pooled, clean, decision, bootstrap))
    return found


def warn_few_sources(scores: Mapping[str, Scores], bootstrap: BootstrapSettings) -> str:
    """The warning that all intervals are too narrow, and why; "" with enough sources."""
    clean = scores[CLEAN.name]
    _, _, counts = draw_sources(clean.label, clean.source, bootstrap)
    return Intervals({}, *counts, bootstrap).warning


def _pool_scores(scores: Scores, decision: Decision) -> VideoScores:
    return pool_videos(scores, decision.pooling, decision.calibration)


def _compare_columns(
    kind: str,
    severity: str,
    columns: Sequence[VideoScores],
    clean: VideoScores,
    decision: Decision,
    bootstrap: BootstrapSettings,
) -> PerturbationResult:
    """Mean metrics of columns on the videos that all of them and the clean scores hold."""
    shared, labels, sources, scores = _align_columns(columns, clean)
    threshold = decision.threshold
    metrics = [compute_metrics(labels, values, threshold, sources=sources) for values in scores]
    draws, place, _ = draw_sources(labels, sources, bootstrap)
    samples = [Sample.build(labels, values, threshold) for values in scores]
    drawn = [resample_metrics(sample, place, draws, names=_DIFFERENCES) for sample in samples]
    means = {name: _compute_mean([getattr(one, name) for one in metrics[1:]]) for name in _METRICS}
    found: dict[str, Any] = dict(means)
    for name in _DIFFERENCES:
        base, values = getattr(metrics[0], name), np.mean([one[name] for one in drawn[1:]], axis=0)
        found[f"{name}_interval"] = _compute_ends(values, bootstrap)
        found[f"{name}_difference"] = None if means[name] is None or base is None else means[name] - base
        found[f"{name}_difference_interval"] = _compute_ends(values - drawn[0][name], bootstrap)
    return PerturbationResult(kind, severity, shared, **found)


def _align_columns(
    columns: Sequence[VideoScores], clean: VideoScores
) -> tuple[int, np.ndarray, np.ndarray, list[np.ndarray]]:
    """Number of shared videos, their labels and sources, and their scores: clean first, then each column."""
    held = [set(one.video) for one in columns]
    shared = [video for video in clean.video if all(video in videos for videos in held)]
    rows = [np.searchsorted(one.video, shared) for one in (clean, *columns)]  # all are sorted by video
    scores = [one.score[row] for one, row in zip((clean, *columns), rows, strict=True)]
    return len(shared), clean.label[rows[0]], clean.source[rows[0]], scores


def _compute_mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _compute_ends(values: np.ndarray, bootstrap: BootstrapSettings) -> Interval | None:
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - bootstrap.confidence) / 2, (1 + bootstrap.confidence) / 2])
    return float(low), float(high)
