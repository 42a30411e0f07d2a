"""Metrics as plain text tables for a terminal."""

from collections.abc import Mapping, Sequence

from lipfd_jax.evaluation.metrics.compute import Metrics, ReleasedMetrics
from lipfd_jax.evaluation.metrics.summary import UNKNOWN_GENERATOR, MetricSet, MetricSummary, PartKind
from lipfd_jax.evaluation.metrics.table import list_metrics
from lipfd_jax.listing.names import escape_controls

_PARTS: dict[PartKind, str] = {
    "generator": "Per generator: its fakes, the share found, AUC against all real ones",
    "id_range": "By range of ids: real and fake ones of that range",
    "source": "Per source, without intervals",
}


def format_summary(summary: MetricSummary, released: ReleasedMetrics) -> str:
    """All tables of a summary: windows and videos side by side, subsets, and the released metrics."""
    intervals = summary.windows.intervals
    bootstrap = intervals.bootstrap
    head = [
        f"videos: {summary.decision}",
        f"intervals: {bootstrap.confidence:.0%}, {bootstrap.draws:,} draws of sources "
        f"({intervals.real_sources:,} with real videos, {intervals.fake_sources:,} with fakes), "
        f"seed {bootstrap.seed}",
    ]
    warning = summary.videos.intervals.warning
    blocks = ["\n".join([*head, *([f"warning: {warning}"] if warning else [])])]
    blocks.append(format_granularities({"windows": summary.windows, "videos": summary.videos}))
    blocks += [
        _format_part(title, summary.parts[kind]) for kind, title in _PARTS.items() if kind in summary.parts
    ]
    return "\n\n".join([*blocks, _format_released(released, summary.windows.metrics.threshold)])


def format_granularities(sets: Mapping[str, MetricSet]) -> str:
    """Metrics in columns under their names, each with its intervals; reasons for missing ones below."""
    columns: list[list[str]] = [_make_titles([one.metrics for one in sets.values()])]
    for name, one in sets.items():
        columns.append([name, *_make_column(one.metrics)])
        ends = [format_interval(one.intervals[metric.name], metric.digits) for metric in list_metrics("text")]
        columns.append([f"{one.intervals.bootstrap.confidence:.0%} interval", "", "", *ends])
    return _with_reasons(columns, {name: one.metrics for name, one in sets.items()})


def format_columns(columns: Mapping[str, Metrics]) -> str:
    """Metrics in columns under their names, one row a metric; reasons for missing ones below."""
    cells = [_make_titles(list(columns.values()))]
    cells += [[name, *_make_column(metrics)] for name, metrics in columns.items()]
    return _with_reasons(cells, columns)


def compute_recall(metrics: Metrics) -> float | None:
    """Share of the fakes called fake."""
    return None if metrics.fnr is None else 1 - metrics.fnr


def format_number(value: float | int | None, digits: int = 5) -> str:
    """A number with `digits` after the point; a dash for None."""
    return "-" if value is None else f"{value:,.{digits}f}"


def format_interval(ends: tuple[float, float] | None, digits: int = 5) -> str:
    """An interval in brackets; "" for None."""
    return "" if ends is None else f"[{format_number(ends[0], digits)}, {format_number(ends[1], digits)}]"


def align_columns(lines: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text columns: the first flush left, the others flush right."""
    lines = [[escape_controls(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines)
    return "\n".join("  ".join(cells).rstrip() for cells in aligned)


def _make_titles(columns: Sequence[Metrics]) -> list[str]:
    at = "/".join(sorted({f"{metrics.threshold:.4g}" for metrics in columns}))
    return ["", "number", "  real / fake", *(metric.label.format(at=at) for metric in list_metrics("text"))]


def _make_column(metrics: Metrics) -> list[str]:
    counts = [format_number(metrics.n, 0), f"{metrics.n - metrics.positives:,} / {metrics.positives:,}"]
    return [*counts, *(format_number(metrics[one.name], one.digits) for one in list_metrics("text"))]


def _with_reasons(columns: Sequence[Sequence[str]], metrics: Mapping[str, Metrics]) -> str:
    reasons = [f"{name}: {one.missing}" for name, one in metrics.items() if one.missing]
    return "\n".join([align_columns(list(zip(*columns, strict=True))), *reasons])


def _format_part(title: str, parts: Mapping[str, MetricSummary]) -> str:
    head = ["", "videos", "fake", "found", "false alarms", "AUC", "", "windows", "AUC", ""]
    rows = [_part_row(name or UNKNOWN_GENERATOR, part) for name, part in parts.items()]
    warnings = {
        f"{name or UNKNOWN_GENERATOR}: {part.videos.intervals.warning}"
        for name, part in parts.items()
        if part.videos.intervals.warning
    }
    return "\n".join([title, align_columns([head, *rows]), *map(escape_controls, sorted(warnings))])


def _part_row(name: str, part: MetricSummary) -> list[str]:
    videos, windows = part.videos, part.windows
    return [
        name,
        format_number(videos.metrics.n, 0),
        format_number(videos.metrics.positives, 0),
        format_number(compute_recall(videos.metrics), 4),
        format_number(videos.metrics.fpr, 4),
        format_number(videos.metrics.auc, 4),
        format_interval(videos.intervals["auc"], 4),
        format_number(windows.metrics.n, 0),
        format_number(windows.metrics.auc, 4),
        format_interval(windows.intervals["auc"], 4),
    ]


def _format_released(released: ReleasedMetrics, threshold: float) -> str:
    above = " above" if threshold == 0.5 else ""
    values = {"acc": released.acc, "ap": released.ap, "fpr": released.fpr, "fnr": released.fnr}
    return "\n".join(
        [
            "As the released script prints them (windows, at 0.5; its ap is on predictions rounded to",
            f"0 and 1, its fpr is the FNR{above} and its fnr the FPR{above})",
            "  ".join(f"{name} {format_number(value)}" for name, value in values.items()),
        ]
    )
