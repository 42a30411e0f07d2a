"""Metrics as a plain text table and as a JSON-safe dictionary."""

import dataclasses
from collections.abc import Mapping, Sequence

from lipfd_jax.evaluation.metrics import (
    THRESHOLD,
    Metrics,
    generator_scores,
    released_figures,
    video_metrics,
    window_metrics,
)
from lipfd_jax.evaluation.scores import Scores

VERSION = 1  # of the keys of metrics.json; rises when one changes its meaning or goes
UNKNOWN_GENERATOR = "(unknown)"

# Name in the table, field of Metrics, digits; the order of every table. {at} becomes the threshold.
ROWS = (
    ("ACC at {at}", "acc", 5),
    ("AP", "ap", 5),
    ("AUC", "auc", 5),
    ("EER", "eer", 5),
    ("  threshold there", "eer_threshold", 4),
    ("FPR at {at}", "fpr", 5),
    ("FNR at {at}", "fnr", 5),
    ("best ACC (in hindsight)", "best_acc", 5),
    ("  threshold there", "best_threshold", 4),
    ("TP", "tp", 0),
    ("TN", "tn", 0),
    ("FP", "fp", 0),
    ("FN", "fn", 0),
)


def metrics_table(scores: Scores, threshold: float = THRESHOLD) -> str:
    """Everything `scores` tells, as text to print: windows and videos side by side, generators, released."""
    columns = {"windows": window_metrics(scores, threshold), "videos": video_metrics(scores, threshold)}
    blocks, generators = [columns_table(columns)], _generators(scores, threshold)
    if generators:
        blocks.append(generators)
    figures = dataclasses.asdict(released_figures(scores))
    above = " above" if threshold == THRESHOLD else ""
    lines = [
        f"As the released script prints them (windows, at {THRESHOLD}; its ap is on predictions rounded to",
        f"0 and 1, its fpr is the FNR{above} and its fnr the FPR{above})",
        "  ".join(f"{name} {number(value)}" for name, value in figures.items()),
    ]
    return "\n\n".join([*blocks, "\n".join(lines)])


def metrics_json(
    scores: Scores, notes: Mapping[str, str] | None = None, threshold: float = THRESHOLD
) -> dict:
    """The content of metrics.json: numbers, strings and None only (no NaN); rates as fractions.

    Keys: version; notes; windows and videos: the fields of `Metrics`; generators: for each name windows and
    videos, its fakes against all real ones; as_released: `ReleasedFigures`, in its own naming.
    """
    return {
        "version": VERSION,
        "notes": {str(key): str(value) for key, value in (notes or {}).items()},
        **_both(scores, threshold),
        "generators": {name: _both(part, threshold) for name, part in generator_scores(scores).items()},
        "as_released": dataclasses.asdict(released_figures(scores)),
    }


def columns_table(columns: Mapping[str, Metrics]) -> str:
    """Metrics in columns under their names, one row a figure; reasons for missing figures below."""
    lines = [["", *columns], ["number", *(number(metrics.n, 0) for metrics in columns.values())]]
    split = [f"{metrics.n - metrics.positives:,} / {metrics.positives:,}" for metrics in columns.values()]
    lines.append(["  real / fake", *split])
    at = "/".join(sorted({f"{metrics.threshold:g}" for metrics in columns.values()}))
    for title, field, digits in ROWS:
        lines.append(
            [title.format(at=at), *(number(getattr(metrics, field), digits) for metrics in columns.values())]
        )
    reasons = [f"{name}: {metrics.missing}" for name, metrics in columns.items() if metrics.missing]
    return "\n".join([align(lines), *reasons])


def recall(metrics: Metrics) -> float | None:
    """Share of the fakes called fake."""
    return None if metrics.fnr is None else 1 - metrics.fnr


def number(value: float | int | None, digits: int = 5) -> str:
    """A figure as text; a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def align(lines: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text columns: the first flush left, the others flush right."""
    lines = [[printable(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines)
    return "\n".join("  ".join(cells).rstrip() for cells in aligned)


def printable(text: str) -> str:
    """Text from a file, safe for a terminal: control characters become question marks."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _both(scores: Scores, threshold: float) -> dict:
    return {
        "windows": dataclasses.asdict(window_metrics(scores, threshold)),
        "videos": dataclasses.asdict(video_metrics(scores, threshold)),
    }


def _generators(scores: Scores, threshold: float) -> str:
    parts = generator_scores(scores)
    if not parts:
        return ""
    lines = [["generator", "videos", "found", "AUC", "windows", "found", "AUC"]]
    for name, part in parts.items():
        line = [name or UNKNOWN_GENERATOR]
        for metrics in (video_metrics(part, threshold), window_metrics(part, threshold)):
            line += [number(metrics.positives, 0), number(recall(metrics), 4), number(metrics.auc, 4)]
        lines.append(line)
    title = f"Per generator: its fakes, the share found at {threshold:g}, AUC against all real ones"
    return f"{title}\n{align(lines)}"
