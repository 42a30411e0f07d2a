"""Bar charts with intervals, one row per bar: metrics of generators, perturbations and controls."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lipfd_jax.pages.axes import Axis
from lipfd_jax.pages.charts import RIGHT, WIDTH
from lipfd_jax.pages.formats import NONE
from lipfd_jax.pages.rendering import render_template

_LEFT, _ROW, _FOOT = 8, 34, 34  # names are drawn above their bars, so that long ones fit on a phone


@dataclass(frozen=True)
class Bar:
    """One row: a metric, its interval if it has one, and a note."""

    name: str
    value: float | None  # None: not computable; no bar is drawn
    low: float | None = None
    high: float | None = None
    colour: str = "accent"
    note: str = ""
    lacking: str = ""  # shown in place of a missing value: the reason


@dataclass(frozen=True)
class BarChart:
    """A bar chart. All text is plain and is escaped; the caption may be Markup."""

    title: str
    axis: Axis
    bars: Sequence[Bar]
    caption: str | Markup = ""
    guides: Sequence[float] = ()  # reference values, such as that of guessing
    start: float | None = None  # value at which bars begin; the axis's low end if None
    note_head: str = ""  # heading of the column of notes


def render_bars(chart: BarChart) -> Markup:
    """Renders the chart as a <figure> with a table; rows can be read like the points of other charts."""
    rows = [_row_values(chart, bar, place) for place, bar in enumerate(chart.bars)]
    height = _ROW * len(rows) + _FOOT
    return render_template(
        "lipfd_jax.pages",
        "bars.html",
        chart=chart,
        size=(WIDTH, height),
        box=(_LEFT, 0, WIDTH - RIGHT - 14, height - _FOOT),
        ticks=[(_x_position(chart, tick), chart.axis.text(tick)) for tick in chart.axis.ticks],
        guides=[_x_position(chart, value) for value in chart.guides],
        rows=rows,
    )


def _row_values(chart: BarChart, bar: Bar, place: int) -> dict:
    text = chart.axis.read
    limits = None if bar.low is None or bar.high is None else (bar.low, bar.high)
    value = (bar.lacking or NONE) if bar.value is None else text(bar.value)
    interval = " to ".join(map(text, limits)) if limits else ""
    start = chart.axis.low if chart.start is None else chart.start
    ends = sorted(_x_position(chart, end) for end in (start, start if bar.value is None else bar.value))
    within = f" ({interval})" if interval else ""
    note = f", {chart.note_head} {bar.note}" if bar.note else ""
    return {
        "bar": bar,
        "top": _ROW * place,
        "ends": ends,
        "at": None if bar.value is None else _x_position(chart, bar.value),
        "whisker": [_x_position(chart, end) for end in limits] if limits else None,
        "value": value,
        "text": f"{bar.name}: {chart.axis.label} {value}{within}{note}",
        "cells": [bar.name, value, interval, bar.note],
    }


def _x_position(chart: BarChart, value: float) -> float:
    return round(float(_LEFT + chart.axis.place(value) * (WIDTH - RIGHT - 14 - _LEFT)), 2)
