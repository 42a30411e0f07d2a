"""metrics.json, metrics.csv and videos.csv: all figures, for programs. See docs/evaluation.md."""

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from lipfd_jax.evaluation.metrics.compute import ReleasedMetrics
from lipfd_jax.evaluation.metrics.pooling import Decision, pool_videos
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.metrics.summary import MetricSet, MetricSummary
from lipfd_jax.vocabulary import LABELS

Suites = Mapping[str, Mapping[str, Any]]  # the content of each suite's NAME.json, by name
NO_SUITES: Suites = MappingProxyType({})

VERSION = 2  # of the keys of metrics.json; rises when one changes its meaning or goes
METRICS_JSON, METRICS_CSV, VIDEOS_CSV = "metrics.json", "metrics.csv", "videos.csv"
VIDEO_COLUMNS = (
    "video",
    "label",
    "source",
    "generator",
    "windows",
    "pooled",
    "score",
    "called",
    "log10_lr",
)
_OF_CELLS = ("auc", "fpr", "fnr", "auc_difference", "fnr_difference")  # in the table; all of them in the JSON
COLUMNS = ("part", "name", "level", "figure", "value", "low", "high")


def build_metrics_json(
    summary: MetricSummary, released: ReleasedMetrics, notes: Mapping[str, str], suites: Suites = NO_SUITES
) -> dict[str, Any]:
    """The content of metrics.json: numbers, strings, lists and None only (no NaN); rates as fractions."""
    bootstrap = summary.windows.intervals.bootstrap
    return {
        "version": VERSION,
        "notes": {str(key): str(value) for key, value in notes.items()},
        "decision": _decision(summary.decision),
        "bootstrap": {
            "unit": "source",
            "draws": bootstrap.draws,
            "seed": bootstrap.seed,
            "level": bootstrap.confidence,
        },
        **_levels(summary),
        "parts": {
            kind: {name: _levels(part) for name, part in parts.items()}
            for kind, parts in summary.parts.items()
        },
        "as_released": dataclasses.asdict(released),
        **({"suites": {name: dict(result) for name, result in suites.items()}} if suites else {}),
    }


def format_metrics_csv(summary: MetricSummary, suites: Suites = NO_SUITES) -> str:
    """One line a figure: part (all, generator, a suite ...), name, level, figure, value, low and high end."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["all", "", *row] for row in _rows(summary))
    for kind, parts in summary.parts.items():
        writer.writerows([kind, name, *row] for name, part in parts.items() for row in _rows(part))
    for suite, result in suites.items():
        writer.writerows([suite, *row] for row in _suite_rows(result))
    return text.getvalue()


def format_videos_csv(scores: Scores, decision: Decision) -> str:
    """One line a video, sorted by id: its windows, its score and verdict, and what a calibration adds.

    `pooled` is the score before calibration, `score` the one that the threshold is for; `log10_lr` is the
    capped likelihood ratio of fake to real, empty without a calibration.
    """
    videos, text = pool_videos(scores, decision.pooling, decision.calibration), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(VIDEO_COLUMNS)
    ratios = decision.calibration.log10_likelihood_ratio(videos.pooled) if decision.calibration else None
    for i, name in enumerate(videos.video):
        called = LABELS[int(videos.score[i] >= decision.threshold)]
        known = [name, videos.label[i], videos.source[i], videos.generator[i], videos.windows[i]]
        found = [float(videos.pooled[i]), float(videos.score[i]), called]
        writer.writerow([*known, *found, "" if ratios is None else float(ratios[i])])
    return text.getvalue()


def _decision(decision: Decision) -> dict[str, Any]:
    calibration = decision.calibration
    return {
        "pooling": decision.pooling.kind,
        "top": decision.pooling.top,
        "threshold": decision.threshold,
        "threshold_choice": decision.chosen,
        "calibration": calibration.to_json() if calibration else None,
    }


def _levels(summary: MetricSummary) -> dict[str, Any]:
    return {"windows": _level(summary.windows), "videos": _level(summary.videos)}


def _level(level: MetricSet) -> dict[str, Any]:
    intervals = level.intervals
    return {
        **dataclasses.asdict(level.metrics),
        "intervals": {name: list(ends) if ends else None for name, ends in intervals.values.items()},
        "real_sources": intervals.real_sources,
        "fake_sources": intervals.fake_sources,
        "warning": intervals.warning,
    }


def _suite_rows(result: Mapping[str, Any]) -> Iterator[list[Any]]:
    for cell in (*result["cells"], *result["means"]):
        for field in _OF_CELLS:
            name, ends = f"{cell['kind']} {cell['level']}".strip(), cell.get(f"{field}_interval") or ("", "")
            yield [name, "videos", field, "" if cell[field] is None else cell[field], *ends]
    for row in result.get("model_free", ()):
        ends = row["auc_interval"] or ("", "")
        yield [f"no model: {row['name']}", "videos", "auc", "" if row["auc"] is None else row["auc"], *ends]


def _rows(summary: MetricSummary) -> Iterator[list[Any]]:
    for name in ("windows", "videos"):
        level: MetricSet = getattr(summary, name)
        for field in dataclasses.fields(level.metrics):
            if field.name == "missing":
                continue
            ends = level.intervals[field.name] or ("", "")
            value = getattr(level.metrics, field.name)
            yield [name, field.name, "" if value is None else value, *ends]
