"""The figures of a suite: of each cell, and of the mean over the levels of a kind, beside the clean ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import (
    BootstrapSettings,
    Intervals,
    draw_sources,
)
from lipfd_jax.evaluation.metrics.compute import compute_metrics, resample_metrics
from lipfd_jax.evaluation.metrics.pooling import Decision, VideoScores, pool_videos
from lipfd_jax.evaluation.metrics.samples import Sample
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.perturbations.catalogue import CLEAN, Effect


@dataclass(frozen=True)
class Cell:
    """The figures of videos under one effect, and how far they lie from those of the untouched ones."""

    kind: str
    level: str
    videos: int
    auc: float | None
    fpr: float | None
    fnr: float | None
    auc_interval: tuple[float, float] | None
    fnr_interval: tuple[float, float] | None
    auc_difference: float | None  # this - clean
    auc_difference_interval: tuple[float, float] | None
    fnr_difference: float | None
    fnr_difference_interval: tuple[float, float] | None


def cells(
    effects: Sequence[Effect], scores: Mapping[str, Scores], decision: Decision, drawing: BootstrapSettings
) -> list[Cell]:
    """Figures of each effect that was scored, clean first, all intervals from the same draws of sources."""
    clean = _pooled(scores[CLEAN.name], decision)
    known = [effect for effect in (CLEAN, *effects) if effect.name in scores]
    return [
        _cell(effect, _pooled(scores[effect.name], decision), clean, decision, drawing) for effect in known
    ]


def few_sources(scores: Mapping[str, Scores], drawing: BootstrapSettings) -> str:
    """Says that all intervals are too narrow, and why; "" where there are sources enough."""
    clean = scores[CLEAN.name]
    _, _, counts = draw_sources(clean.label, clean.source, drawing)
    return Intervals({}, *counts, drawing).warning


def mean_cells(
    made: Sequence[Cell], scores: Mapping[str, Scores], decision: Decision, drawing: BootstrapSettings
) -> list[Cell]:
    """The mean over the levels of each kind, with intervals of the mean."""
    clean = _pooled(scores[CLEAN.name], decision)
    found = []
    for kind in dict.fromkeys(cell.kind for cell in made if cell.kind != CLEAN.kind):
        names = [Effect(cell.kind, cell.level).name for cell in made if cell.kind == kind]
        pooled = [_pooled(scores[name], decision) for name in names]
        found.append(_mean_cell(kind, pooled, clean, decision, drawing))
    return found


def by_reason(missing: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Names of cells that could not be made, by why, from (name, reason) pairs."""
    found: dict[str, list[str]] = {}
    for name, reason in missing:
        found.setdefault(reason, []).append(name)
    return found


def _pooled(scores: Scores, decision: Decision) -> VideoScores:
    return pool_videos(scores, decision.pooling, decision.calibration)


def _cell(
    effect: Effect, ours: VideoScores, clean: VideoScores, decision: Decision, drawing: BootstrapSettings
) -> Cell:
    return _compared(effect.kind, effect.level, [ours], clean, decision, drawing)


def _mean_cell(
    kind: str,
    levels: Sequence[VideoScores],
    clean: VideoScores,
    decision: Decision,
    drawing: BootstrapSettings,
) -> Cell:
    return _compared(kind, "mean", levels, clean, decision, drawing)


def _compared(
    kind: str,
    level: str,
    columns: Sequence[VideoScores],
    clean: VideoScores,
    decision: Decision,
    drawing: BootstrapSettings,
) -> Cell:
    """The mean of columns' figures on the videos that all of them and the untouched ones hold."""
    shared = [video for video in clean.video if all(video in set(one.video) for one in columns)]
    rows = [np.searchsorted(one.video, shared) for one in (clean, *columns)]  # both are sorted by video
    labels, sources = clean.label[rows[0]], clean.source[rows[0]]
    scores = [one.score[row] for one, row in zip((clean, *columns), rows, strict=True)]
    at = decision.threshold
    figures = [compute_metrics(labels, values, at) for values in scores]
    draws, place, _ = draw_sources(labels, sources, drawing)
    samples = [Sample.build(labels, values, at) for values in scores]
    drawn = [resample_metrics(sample, place, draws, names=("auc", "fnr")) for sample in samples]
    means = {name: _mean([getattr(one, name) for one in figures[1:]]) for name in ("auc", "fpr", "fnr")}
    swings = {name: np.mean([one[name] for one in drawn[1:]], axis=0) for name in ("auc", "fnr")}
    found = {}
    for name, swing in swings.items():
        base = getattr(figures[0], name)
        found[f"{name}_interval"] = _ends(swing, drawing)
        found[f"{name}_difference"] = None if means[name] is None or base is None else means[name] - base
        found[f"{name}_difference_interval"] = _ends(swing - drawn[0][name], drawing)
    return Cell(kind, level, len(shared), **means, **found)


def _mean(values: Sequence[float | None]) -> float | None:
    return None if any(value is None for value in values) else float(np.mean(values))


def _ends(values: np.ndarray, drawing: BootstrapSettings) -> tuple[float, float] | None:
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - drawing.confidence) / 2, (1 + drawing.confidence) / 2])
    return float(low), float(high)
