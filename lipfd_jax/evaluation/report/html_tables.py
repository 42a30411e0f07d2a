"""Metrics as tables of a page: each with its interval and a plain sentence."""

from typing import Any

from markupsafe import Markup

from lipfd_jax.evaluation.metrics.bootstrap import Intervals
from lipfd_jax.evaluation.metrics.compute import ReleasedMetrics
from lipfd_jax.evaluation.metrics.metric import Metric
from lipfd_jax.evaluation.metrics.summary import UNKNOWN_GENERATOR, MetricSet, MetricSummary
from lipfd_jax.evaluation.metrics.table import get_metric, list_metrics
from lipfd_jax.evaluation.report.text_tables import compute_recall
from lipfd_jax.pages.axes import unit_axis
from lipfd_jax.pages.bars import Bar, BarChart, render_bars
from lipfd_jax.pages.formats import NONE, decimal, interval, percent

_RELEASED = (
    ("acc", "acc", "At threshold 0.5, whatever the threshold above."),
    ("ap", "ap", "Computed on verdicts of 0 or 1, so lower than the AP above."),
    ("fpr", "fpr", "In truth the misses, FNR: the two are swapped."),
    ("fnr", "fnr", "In truth the false alarms, FPR."),
)
_PARTS = {
    "generator": (
        "By generator",
        "generator",
        "Fakes made by different generators are not equally hard. Found: share of the generator's videos "
        "called fake. AUC: the generator's fakes against all real ones.",
    ),
    "id_range": ("By range of ids", "ids", "Real and fake videos whose ids are in a range."),
    "source": (
        "By source",
        "source",
        "Videos that share footage or a person; an AUC needs real and fake ones. Without intervals.",
    ),
}
_BARS = 40  # more parts than these are listed and not drawn


def with_note(text: str, note: str) -> Markup:
    """A title or number, and in small what explains it."""
    return Markup("{}<small>{}</small>").format(text, note)


def build_metric_rows(summary: MetricSummary, *, further: bool = False) -> list[list[Markup | str]]:
    """Rows of metrics for videos and windows: the first ones, or the further ones."""
    sets, at = (summary.videos, summary.windows), summary.decision.at
    return [
        [
            with_note(metric.title, metric.description.format(at=at)),
            *(_format_metric(one, metric) for one in sets),
        ]
        for metric in list_metrics("further" if further else "page")
    ]


def build_remarks(summary: MetricSummary) -> list[str]:
    """Remarks under the metrics: how intervals were computed, which are missing or too narrow."""
    found: list[str] = []
    drawn = summary.videos.intervals
    if drawn.values:
        found.append(
            f"Small numbers are {drawn.bootstrap.confidence:.0%} intervals: how far a metric would vary had "
            f"other people or footage been tested ({drawn.real_sources:,} sources of real and "
            f"{drawn.fake_sources:,} of fake videos, drawn again {drawn.bootstrap.draws:,} times)."
        )
    if drawn.warning:
        found.append(f"Warning: {drawn.warning}.")
    metric_sets = (summary.videos, summary.windows)
    missing = sorted({one.metrics.missing for one in metric_sets if one.metrics.missing})
    return [*found, *(f"Metrics are missing: {reason}." for reason in missing)]


def build_part_tables(summary: MetricSummary) -> list[dict[str, Any]]:
    """A section for each kind of subset: title, text, table and, for up to `_BARS` of them, a bar chart."""
    found = []
    for kind, parts in summary.parts.items():
        if all(part.videos.metrics.auc is None for part in parts.values()):
            continue  # as with sources of one class each: nothing to compare
        title, noun, text = _PARTS[kind]
        named = {name or UNKNOWN_GENERATOR: part for name, part in parts.items()}
        head = [noun, "real videos", "fake videos", "found", "AUC, videos", "AUC, windows"]
        rows = [_build_part_row(name, part) for name, part in named.items()]
        bars = [
            build_bar(name, part.videos)
            for name, part in named.items()
            if part.videos.metrics.auc is not None
        ]
        chart = BarChart("AUC of videos", unit_axis("AUC"), bars, guides=(0.5,))
        drawn = render_bars(chart) if 2 <= len(bars) <= _BARS else ""
        found.append({"title": title, "text": text, "head": head, "rows": rows, "chart": drawn})
    return found


def build_bar(name: str, one: MetricSet, metric: str = "auc", **options: Any) -> Bar:
    """A bar of one metric with its interval."""
    low, high = one.intervals[metric] or (None, None)
    return Bar(name, one.metrics[metric], low, high, **options)


def build_released_rows(released: ReleasedMetrics) -> list[list[Markup | str]]:
    """Rows of the released script's metrics: their names there, and what they are in truth."""
    return [
        [with_note(name, meaning), decimal(getattr(released, field), 5)] for field, name, meaning in _RELEASED
    ]


def _build_part_row(name: str, part: MetricSummary) -> list[Markup | str]:
    videos, auc = part.videos.metrics, get_metric("auc")
    found = with_note(
        percent(compute_recall(videos)), _format_ends(part.videos.intervals, get_metric("fnr"), flip=True)
    )
    real, fake = f"{videos.n - videos.positives:,}", f"{videos.positives:,}"
    return [name, real, fake, found, *(_format_metric(one, auc) for one in (part.videos, part.windows))]


def _format_metric(one: MetricSet, metric: Metric) -> str | Markup:
    """A metric with its interval, and the counts or the threshold that it comes from."""
    value = one.metrics[metric.name]
    if value is None:
        return NONE
    details = (_format_ends(one.intervals, metric), metric.detail(one.metrics) if metric.detail else "")
    text = percent(value) if metric.percent else decimal(value)
    return with_note(text, Markup("<br>").join(part for part in details if part))


def _format_ends(intervals: Intervals, metric: Metric, *, flip: bool = False) -> str:
    """The interval in the metric's own unit; `flip` for its complement to one."""
    ends = intervals[metric.name]
    if ends is None:
        return ""
    low, high = (1 - ends[1], 1 - ends[0]) if flip else ends
    return f"{100 * low:.1f} to {100 * high:.1f}\u00a0%" if metric.percent else interval(low, high)
