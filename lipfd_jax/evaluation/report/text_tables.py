"""Figures as plain text tables for a terminal."""

from collections.abc import Mapping, Sequence

from lipfd_jax.evaluation.metrics.compute import Metrics, ReleasedMetrics
from lipfd_jax.evaluation.metrics.summary import UNKNOWN_GENERATOR, MetricSet, MetricSummary
from lipfd_jax.listing.names import escape_controls

# Name in the table, field of Metrics, digits; the order of every table. {at} becomes the threshold.
ROWS = (
    ("ACC at {at}", "acc", 5),
    ("balanced ACC at {at}", "balanced_acc", 5),
    ("F1 at {at}", "f1", 5),
    ("AP", "ap", 5),
    ("AUC", "auc", 5),
    ("partial AUC, FPR to 0.1", "partial_auc", 5),
    ("EER", "eer", 5),
    ("  threshold there", "eer_threshold", 4),
    ("FPR at {at}", "fpr", 5),
    ("FNR at {at}", "fnr", 5),
    ("TPR at FPR 0.01", "tpr_at_fpr_1", 5),
    ("TPR at FPR 0.05", "tpr_at_fpr_5", 5),
    ("Brier", "brier", 5),
    ("log loss", "log_loss", 5),
    ("ECE, 15 equal bins", "ece", 5),
    ("Cllr, bits", "cllr", 5),
    ("minCllr", "min_cllr", 5),
    ("  difference to Cllr", "calibration_loss", 5),
    ("best ACC (in hindsight)", "best_acc", 5),
    ("  threshold there", "best_threshold", 4),
    ("TP", "tp", 0),
    ("TN", "tn", 0),
    ("FP", "fp", 0),
    ("FN", "fn", 0),
)
_KINDS = {
    "generator": "Per generator: its fakes, the share found, AUC against all real ones",
    "id_range": "By range of ids: real and fake ones of that range",
    "source": "Per source, without intervals",
}


def format_summary(summary: MetricSummary, released: ReleasedMetrics) -> str:
    """Everything a summary tells: windows and videos side by side, parts, and the released figures."""
    bootstrap = summary.windows.intervals.bootstrap
    head = [
        f"videos: {summary.decision}",
        f"intervals: {bootstrap.confidence:.0%}, {bootstrap.draws:,} draws of sources "
        f"({summary.windows.intervals.real_sources:,} with real videos, "
        f"{summary.windows.intervals.fake_sources:,} with fakes), seed {bootstrap.seed}",
    ]
    warning = summary.videos.intervals.warning
    blocks = ["\n".join([*head, *([f"warning: {warning}"] if warning else [])])]
    blocks.append(format_granularities({"windows": summary.windows, "videos": summary.videos}))
    blocks += [_part(title, summary.parts[kind]) for kind, title in _KINDS.items() if kind in summary.parts]
    return "\n\n".join([*blocks, _released(released, summary.windows.metrics.threshold)])


def format_granularities(levels: Mapping[str, MetricSet]) -> str:
    """Metrics in columns under their names, intervals beside them; reasons for missing figures below."""
    columns: list[list[str]] = [_titles([level.metrics for level in levels.values()])]
    for name, level in levels.items():
        columns.append([name, *_column(level.metrics)])
        ends = [format_interval(level.intervals[field], digits) for _, field, digits in ROWS]
        columns.append([f"{level.intervals.bootstrap.confidence:.0%} interval", "", "", *ends])
    return _under(columns, {name: level.metrics for name, level in levels.items()})


def format_columns(columns: Mapping[str, Metrics]) -> str:
    """Metrics in columns under their names, one row a figure; reasons for missing figures below."""
    cells = [_titles(list(columns.values()))]
    cells += [[name, *_column(metrics)] for name, metrics in columns.items()]
    return _under(cells, columns)


def compute_recall(metrics: Metrics) -> float | None:
    """Share of the fakes called fake."""
    return None if metrics.fnr is None else 1 - metrics.fnr


def format_number(value: float | int | None, digits: int = 5) -> str:
    """A figure as text; a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def format_interval(ends: tuple[float, float] | None, digits: int = 5) -> str:
    """An interval as text; nothing where there is none."""
    return "" if ends is None else f"[{format_number(ends[0], digits)}, {format_number(ends[1], digits)}]"


def align_columns(lines: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text columns: the first flush left, the others flush right."""
    lines = [[escape_controls(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines)
    return "\n".join("  ".join(cells).rstrip() for cells in aligned)


def _titles(columns: Sequence[Metrics]) -> list[str]:
    at = "/".join(sorted({f"{metrics.threshold:.4g}" for metrics in columns}))
    return ["", "number", "  real / fake", *(title.format(at=at) for title, _, _ in ROWS)]


def _column(metrics: Metrics) -> list[str]:
    counts = [format_number(metrics.n, 0), f"{metrics.n - metrics.positives:,} / {metrics.positives:,}"]
    return [*counts, *(format_number(getattr(metrics, field), digits) for _, field, digits in ROWS)]


def _under(columns: Sequence[Sequence[str]], metrics: Mapping[str, Metrics]) -> str:
    reasons = [f"{name}: {one.missing}" for name, one in metrics.items() if one.missing]
    return "\n".join([align_columns(list(zip(*columns, strict=True))), *reasons])


def _part(title: str, parts: Mapping[str, MetricSummary]) -> str:
    lines = [["", "videos", "fake", "found", "false alarms", "AUC", "", "windows", "AUC", ""]]
    for name, part in parts.items():
        videos, windows = part.videos, part.windows
        lines.append(
            [
                name or UNKNOWN_GENERATOR,
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
        )
    notes = {
        f"{name or UNKNOWN_GENERATOR}: {part.videos.intervals.warning}"
        for name, part in parts.items()
        if part.videos.intervals.warning
    }
    return "\n".join([title, align_columns(lines), *map(escape_controls, sorted(notes))])


def _released(figures: ReleasedMetrics, threshold: float) -> str:
    above = " above" if threshold == 0.5 else ""
    values = {"acc": figures.acc, "ap": figures.ap, "fpr": figures.fpr, "fnr": figures.fnr}
    return "\n".join(
        [
            "As the released script prints them (windows, at 0.5; its ap is on predictions rounded to",
            f"0 and 1, its fpr is the FNR{above} and its fnr the FPR{above})",
            "  ".join(f"{name} {format_number(value)}" for name, value in values.items()),
        ]
    )
