"""Tables of metrics and of videos for programs: metrics.csv and videos.csv. See docs/evaluation.md."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from lipfd_jax.evaluation.metrics.pooling import Decision, pool_videos
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.metrics.summary import MetricSummary
from lipfd_jax.evaluation.metrics.table import list_metrics
from lipfd_jax.evaluation.suites.results import NO_SUITES, SuiteResult, Suites
from lipfd_jax.vocabulary import LABELS

METRICS_JSON, METRICS_CSV, VIDEOS_CSV, REPORT_HTML = (
    "metrics.json",
    "metrics.csv",
    "videos.csv",
    "report.html",
)
COLUMNS = ("part", "name", "level", "figure", "value", "low", "high")
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


def format_metrics_csv(summary: MetricSummary, suites: Suites = NO_SUITES) -> str:
    """metrics.csv: one line a metric.

    Columns are part (all, generator, a suite ...), name, level (windows or videos), figure (the metric),
    value, and low and high end of its interval. A suite's metrics are those of the table's view `suites`.
    """
    rows = [["all", "", *row] for row in _summary_rows(summary)]
    for kind, parts in summary.parts.items():
        rows += [[kind, name, *row] for name, part in parts.items() for row in _summary_rows(part)]
    for suite, result in suites.items():
        rows += [[suite, *row] for row in _suite_rows(result)]
    return _format_csv(COLUMNS, rows)


def format_videos_csv(scores: Scores, decision: Decision) -> str:
    """videos.csv: one line a video, sorted by id, with its windows, score and verdict.

    `pooled` is the score before calibration, `score` the one that the threshold is for; `log10_lr` is the
    capped likelihood ratio of fake to real, empty without a calibration.
    """
    videos = pool_videos(scores, decision.pooling, decision.calibration)
    ratios = decision.calibration.log10_likelihood_ratio(videos.pooled) if decision.calibration else None
    rows = []
    for i, name in enumerate(videos.video):
        called = LABELS[int(videos.score[i] >= decision.threshold)]
        known = [name, videos.label[i], videos.source[i], videos.generator[i], videos.windows[i]]
        found = [float(videos.pooled[i]), float(videos.score[i]), called]
        rows.append([*known, *found, "" if ratios is None else float(ratios[i])])
    return _format_csv(VIDEO_COLUMNS, rows)


def _format_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _suite_rows(result: SuiteResult) -> Iterator[list[Any]]:
    names = [metric.name for metric in list_metrics("suites")]
    names += [f"{metric.name}_difference" for metric in list_metrics("suite_differences")]
    for one in (*result.cells, *result.means):
        for name in names:
            ends = getattr(one, f"{name}_interval", None) or ("", "")
            yield [one.name, "videos", name, _blank_none(getattr(one, name)), *ends]
    for baseline in result.model_free or ():
        for name in ("auc", "matched_rank"):
            ends = getattr(baseline, f"{name}_interval") or ("", "")
            yield [f"no model: {baseline.name}", "videos", name, _blank_none(getattr(baseline, name)), *ends]


def _summary_rows(summary: MetricSummary) -> Iterator[list[Any]]:
    for granularity, one in (("windows", summary.windows), ("videos", summary.videos)):
        facts = {"n": one.metrics.n, "positives": one.metrics.positives, "threshold": one.metrics.threshold}
        for name, value in {**facts, **one.metrics.values}.items():
            yield [granularity, name, _blank_none(value), *(one.intervals[name] or ("", ""))]


def _blank_none(value: float | int | None) -> float | int | str:
    return "" if value is None else value
