"""The table of several checkpoints on several data sets: Markdown, CSV and a page."""

import csv
import io
from pathlib import Path

from lipfd_jax import files
from lipfd_jax.evaluation.grid import Grid
from lipfd_jax.evaluation.summary import Level
from lipfd_jax.evaluation.table import interval, number, printable
from lipfd_jax.pages.rendering import render_page

MARKDOWN, CSV, PAGE = "table.md", "table.csv", "table.html"
MEANING = (
    "AUC of videos with intervals over sources. The best of a column is marked only where the interval of "
    "its difference to each other checkpoint, on the same videos and sources, lies above 0; these intervals "
    "are not corrected for the number of comparisons."
)
_COLUMNS = ("checkpoint", "data", "figure", "value", "low", "high", "videos", "real_sources", "fake_sources")
_FIGURES = ("auc", "ap", "eer", "balanced_acc", "fpr", "fnr", "tpr_at_fpr_1", "cllr", "min_cllr", "ece")


def write_grid(grid: Grid, output: Path) -> None:
    """Prints the table and writes table.md, table.csv and table.html, each whole or not at all."""
    text = grid_markdown(grid)
    print(text)
    files.write_text(output / MARKDOWN, text)
    files.write_text(output / CSV, grid_csv(grid))
    files.write_text(output / PAGE, grid_page(grid))
    print(f"\ntable: {output / PAGE}")


def grid_markdown(grid: Grid) -> str:
    """Rows are checkpoints, columns data sets."""
    lines = [["checkpoint", *map(_cell_text, grid.datasets)], ["---"] * (len(grid.datasets) + 1)]
    for name in grid.checkpoints:
        cells = [_auc(grid.cells[name, data].summary.videos) for data in grid.datasets]
        bold = [grid.best.get(data) == name for data in grid.datasets]
        shown = [f"**{cell}**" if best else cell for cell, best in zip(cells, bold, strict=True)]
        lines.append([_cell_text(name), *shown])
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([rows, MEANING, *_remarks(grid)]) + "\n"


def grid_csv(grid: Grid) -> str:
    """One line a checkpoint, data set and figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, "best"])
    for (name, data), cell in grid.cells.items():
        level = cell.summary.videos
        counts = [level.metrics.n, level.intervals.real_sources, level.intervals.fake_sources]
        for figure in _FIGURES:
            value, ends = getattr(level.metrics, figure), level.intervals[figure] or ("", "")
            best = int(grid.best.get(data) == name) if figure == "auc" else ""
            writer.writerow([name, data, figure, "" if value is None else value, *ends, *counts, best])
    return text.getvalue()


def grid_page(grid: Grid) -> str:
    """The table as a page beside the folders of the reports, which its cells lead to."""
    rows = [
        {
            "name": name,
            "cells": [
                {
                    "auc": number(grid.cells[name, data].summary.videos.metrics.auc, 4),
                    "interval": interval(grid.cells[name, data].summary.videos.intervals["auc"], 3),
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
        remarks=_remarks(grid),
    )


def _auc(level: Level) -> str:
    return f"{number(level.metrics.auc, 4)} {interval(level.intervals['auc'], 3)}".strip()


def _remarks(grid: Grid) -> list[str]:
    """Once for each data set: how many videos, and what its intervals suffer from."""
    found = []
    for data in grid.datasets:
        level = grid.cells[grid.checkpoints[0], data].summary.videos
        counts = (
            f"{level.metrics.n - level.metrics.positives:,} real and {level.metrics.positives:,} fake videos"
        )
        reasons = [text for text in (level.metrics.missing, level.intervals.warning) if text]
        found.append(f"{_cell_text(data)}: {'; '.join([counts, *reasons])}.")
    return found


def _cell_text(text: str) -> str:
    return printable(text).replace("|", "\\|")
