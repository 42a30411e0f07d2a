"""Sections of the report on suites: tables and charts of each perturbation's metrics."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from lipfd_jax.evaluation.suites.baseline_section import (
    build_baseline_bar,
    build_baseline_row,
    format_ranks,
    with_note,
)
from lipfd_jax.evaluation.suites.controls import CONTROLS, draw_conclusions
from lipfd_jax.evaluation.suites.results import Interval, PerturbationResult, SuiteResult
from lipfd_jax.pages.axes import Axis, unit_axis
from lipfd_jax.pages.bars import Bar, BarChart, render_bars
from lipfd_jax.pages.charts import Chart, Guide, Series, render_chart
from lipfd_jax.pages.formats import decimal, interval, percent, signed
from lipfd_jax.pages.rendering import Section, render_template

ROBUSTNESS_TITLE = "Robustness"
CONTROLS_TITLE = "Does it hear that sound and lips disagree?"
_ROBUSTNESS_HEAD = ("AUC", "against clean", "FNR", "against clean, points", "FPR")
_CONTROLS_HEAD = ["", "matched rank", "AUC", "against clean", "FPR", "FNR"]


def make_robustness_section(result: SuiteResult) -> Section:
    """Means over severities as bars, each kind as a chart, and all numbers in tables."""
    clean, kinds = result.clean, dict.fromkeys(one.kind for one in result.cells[1:])
    charts = [
        _make_kind_chart(kind, [one for one in result.cells if one.kind == kind], clean) for kind in kinds
    ]
    body = render_template(
        "lipfd_jax.evaluation",
        "robustness.html",
        on=result.on,
        decision=result.decision,
        warning=result.warning,
        clean=clean,
        missing=result.missing_by_reason,
        bars=_means_chart(result.means, clean) if result.means else "",
        charts=[render_chart(chart) for chart in charts if chart],
        means_head=["", *_ROBUSTNESS_HEAD],
        means=[[_kind_cell(one, clean), *_robustness_cells(one)] for one in (clean, *result.means)],
        head=["", "level", *_ROBUSTNESS_HEAD],
        rows=[[_kind_cell(one, clean), one.level, *_robustness_cells(one)] for one in result.cells],
    )
    return Section(ROBUSTNESS_TITLE, body)


def make_controls_section(result: SuiteResult) -> Section:
    """The conclusions in words, then the AUC under each control and of each baseline."""
    meanings = {control.perturbation.name: control.meaning for control in CONTROLS}
    rows = [_control_row(one, result.clean, meanings.get(one.name, "As it is.")) for one in result.cells]
    rows += [[*build_baseline_row(baseline), "", "", ""] for baseline in result.model_free or ()]
    body = render_template(
        "lipfd_jax.evaluation",
        "controls.html",
        on=result.on,
        decision=result.decision,
        warning=result.warning,
        conclusion=draw_conclusions(result),
        chart=_controls_chart(result),
        head=_CONTROLS_HEAD,
        rows=rows,
        missing=result.missing_by_reason,
    )
    return Section(CONTROLS_TITLE, body)


def summarise_robustness(result: SuiteResult) -> str:
    """One sentence: the mean AUC over all kinds, and the kind with the lowest AUC."""
    known = {one.kind: one.auc for one in result.means if one.auc is not None}
    if not known:
        return "No AUC could be had: the videos are of one class."
    worst, mean = min(known, key=known.__getitem__), float(np.mean(list(known.values())))
    return (
        f"Mean AUC over {len(known)} kinds of perturbation: {mean:.3f}, untouched "
        f"{result.clean.auc:.3f}; lowest under {worst}: {known[worst]:.3f}."
    )


def _robustness_cells(result: PerturbationResult) -> list[str | Markup]:
    return [
        _format_auc(result.auc, result.auc_interval),
        _format_auc_difference(result),
        _format_fnr(result),
        _format_fnr_difference(result),
        percent(result.fpr, 1),
    ]


def _control_row(result: PerturbationResult, clean: PerturbationResult, meaning: str) -> list[str | Markup]:
    fewer = _format_fewer_videos(result, clean)
    return [
        with_note(result.name, f"{meaning} Only {fewer}." if fewer else meaning),
        *format_ranks(result),
        _format_auc_difference(result),
        percent(result.fpr, 1),
        percent(result.fnr, 1),
    ]


def _kind_cell(result: PerturbationResult, clean: PerturbationResult) -> str | Markup:
    fewer = _format_fewer_videos(result, clean)
    return with_note(result.kind, fewer) if fewer else result.kind


def _format_fewer_videos(result: PerturbationResult, clean: PerturbationResult) -> str:
    """The number of videos where it is not that of the clean ones, else ""."""
    return "" if result.videos == clean.videos else f"{result.videos:,} of {clean.videos:,} videos"


def _format_auc(value: float | None, ends: Interval | None) -> Markup:
    return with_note(decimal(value, 3), interval(*(ends or (None, None))))


def _format_fnr(result: PerturbationResult) -> Markup:
    ends = result.fnr_interval
    note = f"{100 * ends[0]:.1f} to {percent(ends[1], 1)}" if ends else ""
    return with_note(percent(result.fnr, 1), note)


def _format_auc_difference(result: PerturbationResult) -> str | Markup:
    return _format_difference(result, result.auc_difference, result.auc_difference_interval, 1, 3)


def _format_fnr_difference(result: PerturbationResult) -> str | Markup:
    """In percentage points."""
    return _format_difference(result, result.fnr_difference, result.fnr_difference_interval, 100, 1)


def _format_difference(
    result: PerturbationResult, value: float | None, ends: Interval | None, scale: float, digits: int
) -> str | Markup:
    """A difference from clean with its interval; "" for the clean videos themselves."""
    if result.is_clean or value is None:
        return ""
    low, high = (signed(scale * end, digits) for end in ends) if ends else ("", "")
    return with_note(signed(scale * value, digits), f"{low} to {high}" if ends else "")


def _make_kind_chart(
    kind: str, results: Sequence[PerturbationResult], clean: PerturbationResult
) -> Chart | None:
    """AUC over the severities of a kind; None where it is unknown."""
    known = [one for one in results if one.auc is not None]
    if not known or clean.auc is None:
        return None
    x = np.arange(len(known), dtype=np.float64)
    names = [one.level for one in known]
    title, ticks = _label_severities(names)
    axis = Axis(title, -0.3, max(len(known) - 0.7, 0.3), tuple(x), lambda value: ticks[round(value)])
    low, high = np.array([one.auc_interval or (one.auc, one.auc) for one in known], np.float64).T
    values = np.array([one.auc for one in known])
    line = Series("AUC", x, values, dots=True, low=low, high=high, notes=tuple(names))
    guides = [Guide((-0.3, axis.high), (clean.auc, clean.auc))]
    return Chart(kind, axis, unit_axis("AUC of videos"), [line], guides=guides, note_head="at", height=210)


def _label_severities(names: Sequence[str]) -> tuple[str, list[str]]:
    """Title and tick labels of an axis of severities; a unit that all share moves into the title."""
    first, units = zip(*((name.partition(" ")[0], name.partition(" ")[2]) for name in names), strict=True)
    shared = len(set(units)) == 1 and units[0] and " to " not in names[0]
    return (units[0], list(first)) if shared else ("level", list(names))


def _means_chart(means: Sequence[PerturbationResult], clean: PerturbationResult) -> Markup:
    bars = [Bar(one.kind, one.auc, *(one.auc_interval or (None, None))) for one in means]
    guides = () if clean.auc is None else (clean.auc,)
    caption = "Mean over the levels of each kind; the dotted line is the AUC of the untouched videos."
    title = "AUC under each kind of perturbation"
    return render_bars(BarChart(title, unit_axis("AUC of videos"), bars, caption, guides))


def _controls_chart(result: SuiteResult) -> Markup:
    clean = result.clean
    bars = [
        Bar(
            ", ".join(filter(None, (one.name, _format_fewer_videos(one, clean)))),
            one.auc,
            *(one.auc_interval or (None, None)),
        )
        for one in result.cells
    ]
    bars += [build_baseline_bar(baseline, "auc") for baseline in result.model_free or ()]
    guides = (0.5,) if clean.auc is None else (0.5, clean.auc)
    caption = "Dotted: guessing, and the untouched videos. Bars of the second colour need no model at all."
    return render_bars(BarChart("AUC under each control", unit_axis("AUC of videos"), bars, caption, guides))
