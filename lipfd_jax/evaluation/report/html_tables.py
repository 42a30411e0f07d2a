"""The figures of a summary as tables of a page: each with its interval and what it means in plain words."""

from typing import Any

from markupsafe import Markup

from lipfd_jax.evaluation.metrics.bootstrap import Intervals
from lipfd_jax.evaluation.metrics.calibration_metrics import BINS
from lipfd_jax.evaluation.metrics.compute import Metrics, ReleasedMetrics
from lipfd_jax.evaluation.metrics.summary import UNKNOWN_GENERATOR, MetricSet, MetricSummary
from lipfd_jax.evaluation.report.text_tables import compute_recall
from lipfd_jax.pages.axes import unit
from lipfd_jax.pages.bars import Bar, BarChart, bars_html
from lipfd_jax.pages.formats import NONE, decimal, interval, percent

# Field of Metrics, name, meaning; {at} becomes the threshold.
_FIRST = (
    ("acc", "ACC, accuracy", "Share judged rightly when a score of {at} or more is called fake."),
    (
        "balanced_acc",
        "Balanced ACC",
        "The same, as if there were as many real ones as fakes. 50 % is guessing.",
    ),
    (
        "auc",
        "AUC",
        "Chance that a fake picked at random scores higher than a real one picked at random: "
        "0.5 is guessing, 1 is perfect. Needs no threshold.",
    ),
    (
        "ap",
        "AP, average precision",
        "Going down the list from the highest score: how large a share of what has been met is fake, on "
        "average. 1 is perfect; guessing gives the share of fakes in the data.",
    ),
    (
        "eer",
        "EER, equal error rate",
        "Errors at the threshold where false alarms and misses are equally frequent. Lower is better, "
        "50 % is guessing.",
    ),
    ("fpr", "FPR, false alarms", "Share of the real ones called fake, at threshold {at}."),
    ("fnr", "FNR, misses", "Share of the fakes called real, at threshold {at}."),
)
_FURTHER = (
    (
        "tpr_at_fpr_1",
        "TPR at FPR 1 %",
        "Share of the fakes found where at most 1 % of the real ones may be called fake.",
    ),
    ("tpr_at_fpr_5", "TPR at FPR 5 %", "The same with 5 %."),
    (
        "partial_auc",
        "Partial AUC",
        "AUC of few false alarms only (up to 10 %), stretched so that 0.5 is guessing (McClish).",
    ),
    (
        "f1",
        "F1",
        "Harmonic mean of the share of fakes found and the share of fakes among those called fake, at {at}.",
    ),
    ("brier", "Brier score", "Mean squared distance of score and truth, 0 is perfect."),
    (
        "log_loss",
        "Log loss",
        "Mean surprise at the truth if scores are probabilities, in natural units; 0 is perfect.",
    ),
    (
        "ece",
        "ECE, expected calibration error",
        f"How far scores lie from the share of fakes among those with such scores, over {BINS} bins of "
        "equal width.",
    ),
    (
        "cllr",
        "Cllr",
        "Cost of the scores as evidence, in bits: 0 is perfect, 1 is what knowing nothing costs.",
    ),
    (
        "min_cllr",
        "minCllr",
        "What of it no recalibration could save: real and fake ones whose scores lie the wrong way.",
    ),
    ("calibration_loss", "Cllr \u2212 minCllr", "What a better calibration would save."),
    (
        "best_acc",
        "Best ACC in hindsight",
        "Accuracy had the threshold been chosen knowing the answers: what another threshold could bring "
        "at most.",
    ),
)
_PERCENT = ("acc", "balanced_acc", "eer", "fpr", "fnr", "tpr_at_fpr_1", "tpr_at_fpr_5", "best_acc")
_RELEASED = (
    ("acc", "acc", "At threshold 0.5, whatever stands above."),
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
    "id_range": ("By range of ids", "ids", "Real and fake videos whose ids lie in a range."),
    "source": (
        "By source",
        "source",
        "Videos that share footage or a person; an AUC needs real and fake ones. Without intervals.",
    ),
}
_BARS = 40  # more parts than these are listed and not drawn


def with_note(name: str, meaning: str) -> Markup:
    """A figure or its name, and below it what more there is to say."""
    return Markup("{}<small>{}</small>").format(name, meaning)


def build_metric_rows(summary: MetricSummary, *, further: bool = False) -> list[list[Markup | str]]:
    """Rows of figures for videos and windows: the first ones, or the further ones."""
    levels = (summary.videos, summary.windows)
    return [
        [
            with_note(name, meaning.format(at=summary.decision.at)),
            *(_figure(level, field) for level in levels),
        ]
        for field, name, meaning in (_FURTHER if further else _FIRST)
    ]


def build_remarks(summary: MetricSummary) -> list[str]:
    """What a reader of the figures must know: how intervals were made, what is missing or too narrow."""
    found: list[str] = []
    drawn = summary.videos.intervals
    if drawn.values:
        found.append(
            f"Small figures are {drawn.bootstrap.confidence:.0%} intervals: how far a figure would swing had "
            f"other people or footage been tested ({drawn.real_sources:,} sources of real and "
            f"{drawn.fake_sources:,} of fake videos, drawn again {drawn.bootstrap.draws:,} times)."
        )
    if drawn.warning:
        found.append(f"Warning: {drawn.warning}.")
    levels = (summary.videos, summary.windows)
    missing = sorted({level.metrics.missing for level in levels if level.metrics.missing})
    return [*found, *(f"Figures are missing: {reason}." for reason in missing)]


def build_part_tables(summary: MetricSummary) -> list[dict[str, Any]]:
    """A section for each kind of part: title, text, table and, where they are not too many, bars."""
    found = []
    for kind, parts in summary.parts.items():
        if all(part.videos.metrics.auc is None for part in parts.values()):
            continue  # as with sources of one class each: nothing to compare
        title, noun, text = _PARTS[kind]
        named = {name or UNKNOWN_GENERATOR: part for name, part in parts.items()}
        head = [noun, "real videos", "fake videos", "found", "AUC, videos", "AUC, windows"]
        rows = [_part(name, part) for name, part in named.items()]
        bars = [
            build_bar(name, part.videos)
            for name, part in named.items()
            if part.videos.metrics.auc is not None
        ]
        chart = BarChart("AUC of videos", unit("AUC"), bars, guides=(0.5,))
        drawn = bars_html(chart) if 2 <= len(bars) <= _BARS else ""
        found.append({"title": title, "text": text, "head": head, "rows": rows, "chart": drawn})
    return found


def build_bar(name: str, level: MetricSet, field: str = "auc", **options: Any) -> Bar:
    """A bar of one figure with its interval."""
    low, high = level.intervals[field] or (None, None)
    return Bar(name, getattr(level.metrics, field), low, high, **options)


def build_released_rows(figures: ReleasedMetrics) -> list[list[Markup | str]]:
    """The figures as the released script names them, and what they are in truth."""
    return [
        [with_note(name, meaning), decimal(getattr(figures, field), 5)] for field, name, meaning in _RELEASED
    ]


def _part(name: str, part: MetricSummary) -> list[Markup | str]:
    videos = part.videos.metrics
    found = with_note(percent(compute_recall(videos)), _ends(part.videos.intervals, "fnr", flip=True))
    real, fake = f"{videos.n - videos.positives:,}", f"{videos.positives:,}"
    return [name, real, fake, found, *(_figure(level, "auc") for level in (part.videos, part.windows))]


def _figure(level: MetricSet, field: str) -> str | Markup:
    value = getattr(level.metrics, field)
    if value is None:
        return NONE
    text = percent(value) if field in _PERCENT else decimal(value)
    details = (_ends(level.intervals, field), _detail(level.metrics, field))
    return with_note(text, Markup("<br>").join(part for part in details if part))


def _ends(intervals: Intervals, field: str, *, flip: bool = False) -> str:
    """The interval in the figure's own unit; `flip` for its complement to one."""
    ends = intervals[field]
    if ends is None:
        return ""
    low, high = (1 - ends[1], 1 - ends[0]) if flip else ends
    return f"{100 * low:.1f} to {100 * high:.1f}\u00a0%" if field in _PERCENT else interval(low, high)


def _detail(metrics: Metrics, field: str) -> str:
    real = metrics.n - metrics.positives
    details = {
        "acc": f"{metrics.tp + metrics.tn:,} of {metrics.n:,}",
        "fpr": f"{metrics.fp:,} of {real:,}",
        "fnr": f"{metrics.fn:,} of {metrics.positives:,}",
        "eer": "" if metrics.eer_threshold is None else f"at {metrics.eer_threshold:.3f}",
        "best_acc": "" if metrics.best_threshold is None else f"at {metrics.best_threshold:.3f}",
    }
    return details.get(field, "")
