"""What the tables of both suites say of a cell: figures with their intervals, and how far they moved."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from lipfd_jax.evaluation.suites.results import Cell, by_reason
from lipfd_jax.pages.axes import Axis, unit
from lipfd_jax.pages.bars import Bar, BarChart, bars_html
from lipfd_jax.pages.charts import Chart, Guide, Line, chart_html
from lipfd_jax.pages.formats import decimal, interval, percent, signed
from lipfd_jax.pages.rendering import Section, render
from lipfd_jax.perturbations.catalogue import CLEAN


def figure(text: str, below: str) -> Markup:
    """A figure or a name, and in small what belongs to it."""
    return Markup("{}<small>{}</small>").format(text, below)


def fewer(cell: Cell, clean: Cell) -> str:
    """How many of the untouched videos a cell holds, where it could not be made of all."""
    return "" if cell.videos == clean.videos else f"{cell.videos:,} of {clean.videos:,} videos"


def auc(value: float | None, ends: tuple[float, float] | None) -> Markup:
    """An AUC with its interval."""
    return figure(decimal(value, 3), interval(*(ends or (None, None))))


def misses(cell: Cell) -> Markup:
    """The share of fakes called real, in per cent, with its interval."""
    ends = cell.fnr_interval
    return figure(percent(cell.fnr, 1), f"{100 * ends[0]:.1f} to {percent(ends[1], 1)}" if ends else "")


def auc_moved(cell: Cell) -> str | Markup:
    """How far the AUC lies from the untouched one; nothing for that one."""
    return _moved(cell, cell.auc_difference, cell.auc_difference_interval, 1, 3)


def misses_moved(cell: Cell) -> str | Markup:
    """The same of the share of fakes called real, in percentage points."""
    return _moved(cell, cell.fnr_difference, cell.fnr_difference_interval, 100, 1)


def _moved(
    cell: Cell, value: float | None, ends: tuple[float, float] | None, scale: float, digits: int
) -> str | Markup:
    if cell.kind == CLEAN.kind or value is None:
        return ""
    low, high = (signed(scale * end, digits) for end in ends) if ends else ("", "")
    return figure(signed(scale * value, digits), f"{low} to {high}" if ends else "")


TITLE = "Robustness"
_FIGURES = ("AUC", "against clean", "FNR", "against clean, points", "FPR")


def robustness_section(result: dict[str, Any]) -> Section:
    """The section of a suite's result, as `suites` writes and reads it."""
    made = [Cell(**cell) for cell in result["cells"]]
    means = [Cell(**cell) for cell in result["means"]]
    clean, kinds = made[0], dict.fromkeys(cell.kind for cell in made[1:])
    charts = [_chart(kind, [cell for cell in made if cell.kind == kind], clean) for kind in kinds]
    body = render(
        "lipfd_jax.evaluation",
        "robustness.html",
        on=result["on"],
        decision=result["decision"],
        warning=result.get("warning", ""),  # of an older version: none
        clean=clean,
        missing=by_reason(result["missing"]),
        bars=_bars(means, clean) if means else "",
        charts=[chart_html(chart) for chart in charts if chart],
        means_head=["", *_FIGURES],
        means=[[_name(cell, clean), *_row(cell)] for cell in (clean, *means)],
        head=["", "level", *_FIGURES],
        rows=[[_name(cell, clean), cell.level, *_row(cell)] for cell in made],
    )
    return Section(TITLE, body)


def robustness_summary(result: dict[str, Any]) -> str:
    """One sentence: the perturbation that costs most, and what the mean over all is."""
    means = [Cell(**cell) for cell in result["means"]]
    known = [cell for cell in means if cell.auc is not None]
    if not known:
        return "No AUC could be had: the videos are of one class."
    worst = min(known, key=lambda cell: cell.auc)
    mean = float(np.mean([cell.auc for cell in known]))
    return (
        f"Mean AUC over {len(known)} kinds of perturbation: {mean:.3f}, untouched "
        f"{result['cells'][0]['auc']:.3f}; lowest under {worst.kind}: {worst.auc:.3f}."
    )


def _chart(kind: str, cells: Sequence[Cell], clean: Cell) -> Chart | None:
    known = [cell for cell in cells if cell.auc is not None]
    if not known or clean.auc is None:
        return None
    x = np.arange(len(known), dtype=np.float64)
    names = [cell.level for cell in known]
    unit_, shown = _levels(names)
    axis = Axis(unit_, -0.3, max(len(known) - 0.7, 0.3), tuple(x), lambda value: shown[round(value)])
    ends = [cell.auc_interval or (cell.auc, cell.auc) for cell in known]
    low, high = np.array(ends, np.float64).T
    line = Line(
        "AUC", x, np.array([cell.auc for cell in known]), dots=True, low=low, high=high, notes=tuple(names)
    )
    guides = [Guide((-0.3, axis.high), (clean.auc, clean.auc))]
    return Chart(kind, axis, unit("AUC of videos"), [line], guides=guides, note_head="at", height=210)


def _levels(names: Sequence[str]) -> tuple[str, list[str]]:
    """What an axis of levels is called, and each level on it: without their unit, where they share one."""
    first, units = zip(*((name.partition(" ")[0], name.partition(" ")[2]) for name in names), strict=True)
    shared = len(set(units)) == 1 and units[0] and " to " not in names[0]
    return (units[0], list(first)) if shared else ("level", list(names))


def _bars(means: Sequence[Cell], clean: Cell) -> Markup:
    bars = [Bar(cell.kind, cell.auc, *(cell.auc_interval or (None, None))) for cell in means]
    guides = () if clean.auc is None else (clean.auc,)
    caption = "Mean over the levels of each kind; the dotted line is the AUC of the untouched videos."
    return bars_html(
        BarChart("AUC under each kind of perturbation", unit("AUC of videos"), bars, caption, guides)
    )


def _name(cell: Cell, clean: Cell) -> str | Markup:
    counted = fewer(cell, clean)
    return figure(cell.kind, counted) if counted else cell.kind


def _row(cell: Cell) -> list[str | Markup]:
    figures = [auc(cell.auc, cell.auc_interval), auc_moved(cell), misses(cell), misses_moved(cell)]
    return [*figures, percent(cell.fpr, 1)]
