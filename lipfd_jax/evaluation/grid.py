"""Grid of several checkpoints on several data sets: every pair evaluated, as tables and a page.

A checkpoint is marked as the best of a data set only where the paired intervals of its AUC minus that of
each other one are above 0 (per pair, not corrected for the number of pairs).
"""

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lipfd_jax.data.sources import RecordReader
from lipfd_jax.evaluation.evaluate import DEFAULTS, Evaluation, Options, evaluate, open_detector
from lipfd_jax.evaluation.metrics.bootstrap import (
    DEFAULT_BOOTSTRAP,
    BootstrapSettings,
    compute_difference_intervals,
)
from lipfd_jax.evaluation.metrics.pooling import VideoScores, pool_videos
from lipfd_jax.evaluation.metrics.summary import MetricSet
from lipfd_jax.evaluation.metrics.table import list_metrics
from lipfd_jax.evaluation.report.text_tables import format_interval, format_number
from lipfd_jax.inference.detector import check_openable
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.pages.rendering import render_page
from lipfd_jax.storage import files

GRID_MARKDOWN, GRID_CSV, GRID_PAGE = "table.md", "table.csv", "table.html"
MEANING = (
    "AUC of videos with intervals over sources. The best of a column is marked only where the interval of "
    "its difference to each other checkpoint, on the same videos and sources, is above 0; these intervals "
    "are not corrected for the number of comparisons."
)
_COLUMNS = ("checkpoint", "data", "figure", "value", "low", "high", "videos", "real_sources", "fake_sources")
_SEPARATORS = ("/", "\\", "\0")


@dataclass(frozen=True)
class NamedPath:
    """A checkpoint or a data set with its name in the table and in folders."""

    name: str
    path: str

    @classmethod
    def parse(cls, text: str) -> "NamedPath":
        """Parses NAME=PATH, or a path, whose last part is the name. Raises ValueError for other names."""
        name, separator, path = text.partition("=")
        if not separator or any(mark in name for mark in _SEPARATORS):
            name, path = Path(text.rstrip("/")).name, text
        if not name.strip() or not name.isprintable() or name.startswith(".") or not path:
            raise ValueError(f"{text!r}: expected NAME=PATH with a name fit for a folder, or a path")
        return cls(name, path)


@dataclass(frozen=True)
class Grid:
    """Evaluations by (checkpoint, data set), and the best checkpoint of each data set where it is certain."""

    checkpoints: tuple[str, ...]
    datasets: tuple[str, ...]
    cells: Mapping[tuple[str, str], Evaluation]
    best: Mapping[str, str]


def evaluate_grid(
    checkpoints: Sequence[NamedPath],
    datasets: Sequence[NamedPath],
    output: str | os.PathLike,
    *,
    open_data: Callable[[str], RecordReader],
    step: int | None = None,
    options: Options = DEFAULTS,
) -> Grid | None:
    """Evaluates every checkpoint on every data set, each pair into OUTPUT/CHECKPOINT/DATA.

    An interrupted run resumes from the scores already there. All paths are looked up before anything is
    scored. Returns None on processes other than the first.

    Args:
      open_data: from a data set's path to its records.

    Raises:
      ValueError: two have one name, or scores to compare with are given; and as `evaluate`.
    """
    for named in (checkpoints, datasets):
        names = [one.name for one in named]
        if len(set(names)) < len(names):
            raise ValueError(f"{', '.join(names)}: two of one name; name them with NAME=PATH")
    if options.compare_scores:
        raise ValueError(
            f"{options.compare_scores}: scores to compare with are of one checkpoint on one data set"
        )
    for one in checkpoints:
        check_openable(one.path, step)
    sources = {one.name: open_data(one.path) for one in datasets}
    cells: dict[tuple[str, str], Evaluation] = {}
    for checkpoint in checkpoints:
        folder = Path(output) / checkpoint.name
        found = _evaluate_on_each(checkpoint.path, sources, folder, step, options)
        cells |= {(checkpoint.name, data): evaluation for data, evaluation in found.items()}
    return build_grid(cells, options.bootstrap) if cells else None


def _evaluate_on_each(
    checkpoint: str, sources: Mapping[str, RecordReader], folder: Path, step: int | None, options: Options
) -> dict[str, Evaluation]:
    """Evaluates one checkpoint, opened once, on each data set; none on processes other than the first.

    Its weights are freed on return, before those of the next checkpoint are read.
    """
    detector = open_detector(checkpoint, step=step, options=options)
    found = {}
    for data, source in sources.items():
        if done := evaluate(detector, source, folder / data, options=options):
            found[data] = done
    return found


def build_grid(
    cells: Mapping[tuple[str, str], Evaluation], bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP
) -> Grid:
    """Builds the grid of evaluations of every checkpoint on every data set."""
    checkpoints, datasets = (tuple(dict.fromkeys(names)) for names in zip(*cells, strict=True))
    best = {}
    for data in datasets:
        column = {name: cells[name, data] for name in checkpoints}
        leading = max(column, key=lambda name: _get_auc(column[name]))
        others = [one for name, one in column.items() if name != leading]
        if others and all(_is_better(column[leading], other, bootstrap) for other in others):
            best[data] = leading
    return Grid(checkpoints, datasets, cells, best)


def _get_auc(one: Evaluation) -> float:
    found = one.summary.videos.metrics.auc
    return -1.0 if found is None else found


def _is_better(one: Evaluation, other: Evaluation, bootstrap: BootstrapSettings) -> bool:
    """Whether the interval of the difference in AUC, over the videos that both scored, is above 0."""
    a, b = (_pool_videos(side) for side in (one, other))
    _, ours, theirs = np.intersect1d(a.video, b.video, assume_unique=True, return_indices=True)
    labels, sources = a.label[ours], a.source[ours]
    thresholds = (one.summary.decision.threshold, other.summary.decision.threshold)
    found = compute_difference_intervals(
        labels, a.score[ours], b.score[theirs], sources, thresholds, bootstrap
    )["auc"]
    return found is not None and found[0] > 0


def _pool_videos(one: Evaluation) -> VideoScores:
    return pool_videos(one.scores, one.summary.decision.pooling, one.summary.decision.calibration)


def write_grid(grid: Grid, output: Path) -> None:
    """Prints the table and writes table.md, table.csv and table.html, each whole or not at all."""
    text = format_grid_markdown(grid)
    print(text)
    files.write_text(output / GRID_MARKDOWN, text)
    files.write_text(output / GRID_CSV, format_grid_csv(grid))
    files.write_text(output / GRID_PAGE, render_grid_page(grid))
    print(f"\ntable: {output / GRID_PAGE}")


def format_grid_markdown(grid: Grid) -> str:
    """Rows are checkpoints, columns data sets."""
    lines = [["checkpoint", *map(_cell_text, grid.datasets)], ["---"] * (len(grid.datasets) + 1)]
    for name in grid.checkpoints:
        cells = [_auc_cell(grid.cells[name, data].summary.videos) for data in grid.datasets]
        bold = [grid.best.get(data) == name for data in grid.datasets]
        shown = [f"**{cell}**" if best else cell for cell, best in zip(cells, bold, strict=True)]
        lines.append([_cell_text(name), *shown])
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([rows, MEANING, *_make_remarks(grid)]) + "\n"


def format_grid_csv(grid: Grid) -> str:
    """One line for each checkpoint, data set and metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, "best"])
    for (name, data), cell in grid.cells.items():
        videos = cell.summary.videos
        counts = [videos.metrics.n, videos.intervals.real_sources, videos.intervals.fake_sources]
        for metric in list_metrics("grid"):
            value, ends = videos.metrics[metric.name], videos.intervals[metric.name] or ("", "")
            best = int(grid.best.get(data) == name) if metric.name == "auc" else ""
            writer.writerow([name, data, metric.name, "" if value is None else value, *ends, *counts, best])
    return text.getvalue()


def render_grid_page(grid: Grid) -> str:
    """The table as a page whose cells link to the reports in their folders."""
    rows = [
        {
            "name": name,
            "cells": [
                {
                    "auc": format_number(grid.cells[name, data].summary.videos.metrics.auc, 4),
                    "interval": format_interval(grid.cells[name, data].summary.videos.intervals["auc"], 3),
                    "best": grid.best.get(data) == name,
                    "report": (name, data, "report.html"),
                }
                for data in grid.datasets
            ],
        }
        for name in grid.checkpoints
    ]
    return render_page(
        "lipfd_jax.evaluation",
        "grid.html",
        title="Checkpoints and data sets",
        meaning=MEANING,
        datasets=grid.datasets,
        rows=rows,
        remarks=_make_remarks(grid),
    )


def _auc_cell(videos: MetricSet) -> str:
    return f"{format_number(videos.metrics.auc, 4)} {format_interval(videos.intervals['auc'], 3)}".strip()


def _make_remarks(grid: Grid) -> list[str]:
    """A remark for each data set: number of videos, and warnings about its intervals."""
    found = []
    for data in grid.datasets:
        videos = grid.cells[grid.checkpoints[0], data].summary.videos
        positives = videos.metrics.positives
        counts = f"{videos.metrics.n - positives:,} real and {positives:,} fake videos"
        missing = videos.metrics.missing if videos.metrics.auc is None else ""
        reasons = [text for text in (missing, videos.intervals.warning) if text]
        found.append(f"{_cell_text(data)}: {'; '.join([counts, *reasons])}.")
    return found


def _cell_text(text: str) -> str:
    return escape_controls(text).replace("|", "\\|")
