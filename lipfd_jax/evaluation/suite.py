"""Runs a suite: every effect on every video, one scores file a cell, going on where a run stopped."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lipfd_jax import files
from lipfd_jax.evaluation.bootstrap import Drawing, draw_sources
from lipfd_jax.evaluation.decision import Decision
from lipfd_jax.evaluation.effects import CLEAN, Effect
from lipfd_jax.evaluation.metrics import compute_metrics
from lipfd_jax.evaluation.pooling import VideoScores, video_scores
from lipfd_jax.evaluation.scores import ScoreRow, Scores, ScoresWriter, read_scores
from lipfd_jax.evaluation.subjects import Subject, partner, with_mels
from lipfd_jax.evaluation.weighted_metrics import weighted_metrics
from lipfd_jax.preprocessing.composite import composite
from lipfd_jax.vocabulary import picture_name

IDENTITY = "suite.json"
Score = Callable[[np.ndarray], np.ndarray]  # composites (B, 1000, 2500, 3) uint8 to probabilities (B,)


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


def run_cells(
    effects: Sequence[Effect],
    subjects: Sequence[Subject],
    score: Score,
    output: str | os.PathLike,
    *,
    identity: Mapping[str, str],
) -> tuple[dict[str, Scores], dict[str, str]]:
    """Scores of each cell by its effect's name, the untouched videos among them, and why others are missing.

    A cell's file appears whole in `output`; one that is there is not made again. Videos that fail under an
    effect are named, left out of its cell and counted.

    Raises ValueError where the folder holds cells of another checkpoint or other data.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    _claim(output / IDENTITY, identity)
    found, missing = {}, {}
    for effect in (CLEAN, *effects):
        reasons = [subject.lacking(effect) for subject in subjects]
        if all(reasons):
            missing[effect.name] = reasons[0]
            continue
        file = output / f"{effect.name}.csv"
        if not file.exists():
            _write_cell(effect, subjects, score, file)
        found[effect.name] = read_scores(file)
    return found, missing


def cells(
    effects: Sequence[Effect], scores: Mapping[str, Scores], decision: Decision, drawing: Drawing
) -> list[Cell]:
    """Figures of each effect that was scored, clean first, all intervals from the same draws of sources."""
    clean = _pooled(scores[CLEAN.name], decision)
    known = [effect for effect in (CLEAN, *effects) if effect.name in scores]
    return [
        _cell(effect, _pooled(scores[effect.name], decision), clean, decision, drawing) for effect in known
    ]


def mean_cells(
    made: Sequence[Cell], scores: Mapping[str, Scores], decision: Decision, drawing: Drawing
) -> list[Cell]:
    """The mean over the levels of each kind, with intervals of the mean."""
    clean = _pooled(scores[CLEAN.name], decision)
    found = []
    for kind in dict.fromkeys(cell.kind for cell in made if cell.kind != CLEAN.kind):
        names = [Effect(cell.kind, cell.level).name for cell in made if cell.kind == kind]
        pooled = [_pooled(scores[name], decision) for name in names]
        found.append(_mean_cell(kind, pooled, clean, decision, drawing))
    return found


def _claim(note: Path, identity: Mapping[str, str]) -> None:
    if note.exists() and (there := json.loads(note.read_text())) != dict(identity):
        named = next(
            (
                f"{key}: {there.get(key)}, not {value}"
                for key, value in identity.items()
                if there.get(key) != value
            ),
            "",
        )
        raise ValueError(
            f"{note.parent}: holds a suite of something else ({named}); give another output folder"
        )
    files.write_json(note, dict(identity))


def _write_cell(effect: Effect, subjects: Sequence[Subject], score: Score, file: Path) -> None:
    partial = file.with_name(f".{file.name}.tmp")
    partial.unlink(missing_ok=True)
    failed = 0
    with ScoresWriter(partial) as writer:
        for place, subject in enumerate(tqdm(subjects, desc=effect.name, unit="video", leave=False)):
            if subject.lacking(effect):
                continue
            try:
                rows = _rows(effect, subjects, place, score)
            except ValueError as error:
                failed += 1
                print(f"left out of {effect.name!r}: {subject.video}: {error}", file=sys.stderr)
                continue
            writer.append(rows)
    if failed == len(subjects):
        raise ValueError(f"{effect.name}: no video could be scored")
    os.replace(partial, file)


def _rows(effect: Effect, subjects: Sequence[Subject], place: int, score: Score) -> list[ScoreRow]:
    subject = subjects[place]
    windows = subject.windows(effect)
    if effect.foreign_sound:
        windows = with_mels(windows, partner(subjects, place).windows(CLEAN))
    values = score(np.stack([composite(window) for window in windows]))
    same = {
        "video": subject.video,
        "label": subject.label,
        "source": subject.source,
        "generator": subject.generator,
    }
    return [
        ScoreRow(
            path=picture_name(subject.video, window.index),
            score=float(value),
            window=window.index,
            start_frame=window.start_frame,
            **same,
        )
        for window, value in zip(windows, values, strict=True)
    ]


def _pooled(scores: Scores, decision: Decision) -> VideoScores:
    return video_scores(scores, decision.pooling, decision.calibration)


def _cell(
    effect: Effect, ours: VideoScores, clean: VideoScores, decision: Decision, drawing: Drawing
) -> Cell:
    return _compared(effect.kind, effect.level, [ours], clean, decision, drawing)


def _mean_cell(
    kind: str, levels: Sequence[VideoScores], clean: VideoScores, decision: Decision, drawing: Drawing
) -> Cell:
    return _compared(kind, "mean", levels, clean, decision, drawing)


def _compared(
    kind: str,
    level: str,
    columns: Sequence[VideoScores],
    clean: VideoScores,
    decision: Decision,
    drawing: Drawing,
) -> Cell:
    """The mean of columns' figures on the videos that all of them and the untouched ones hold."""
    shared = [video for video in clean.video if all(video in set(one.video) for one in columns)]
    rows = [np.searchsorted(one.video, shared) for one in (clean, *columns)]  # both are sorted by video
    labels, sources = clean.label[rows[0]], clean.source[rows[0]]
    scores = [one.score[row] for one, row in zip((clean, *columns), rows, strict=True)]
    at = decision.threshold
    figures = [compute_metrics(labels, values, at) for values in scores]
    draws, place, _ = draw_sources(labels, sources, drawing)
    drawn = [weighted_metrics(labels, values, draws, place, at) for values in scores]
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


def _ends(values: np.ndarray, drawing: Drawing) -> tuple[float, float] | None:
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - drawing.level) / 2, (1 + drawing.level) / 2])
    return float(low), float(high)
