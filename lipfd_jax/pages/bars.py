"""Charts of bars with intervals, one row a bar: figures of generators, perturbations and controls."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lipfd_jax.pages.axes import Axis
from lipfd_jax.pages.charts import RIGHT, WIDTH
from lipfd_jax.pages.formats import NONE
from lipfd_jax.pages.rendering import render

_LEFT, _ROW, _FOOT = 8, 34, 34  # the name stands above its bar, so that long ones fit on a phone


@dataclass(frozen=True)
class Bar:
    """One row: a figure, its interval where it has one, and what else there is to say of it."""

    name: str
    value: float | None  # None: the figure can't be had; no bar is drawn
    low: float | None = None
    high: float | None = None
    colour: str = "accent"
    note: str = ""
    lacking: str = ""  # why there is no value, in a few words


@dataclass(frozen=True)
class BarChart:
    """Bars along one axis. All text is plain; the caption may be Markup."""

    title: str
    axis: Axis
    bars: Sequence[Bar]
    caption: str | Markup = ""
    guides: Sequence[float] = ()  # values to judge by, such as guessing
    start: float | None = None  # where bars begin; the axis's low end if None
    note_head: str = ""


def bars_html(chart: BarChart) -> Markup:
    """The chart as a <figure> with its table, its rows readable as the points of other charts are."""
    rows = [_row(chart, bar, place) for place, bar in enumerate(chart.bars)]
    height = _ROW * len(rows) + _FOOT
    return render(
        "lipfd_jax.pages",
        "bars.html",
        chart=chart,
        size=(WIDTH, height),
        box=(_LEFT, 0, WIDTH - RIGHT - 14, height - _FOOT),
        ticks=[(_across(chart, tick), chart.axis.text(tick)) for tick in chart.axis.ticks],
        guides=[_across(chart, value) for value in chart.guides],
        rows=rows,
    )


def _row(chart: BarChart, bar: Bar, place: int) -> dict:
    text, has_interval = chart.axis.read, bar.low is not None and bar.high is not None
    value = (bar.lacking or NONE) if bar.value is None else text(bar.value)
    interval = f"{text(bar.low)} to {text(bar.high)}" if has_interval else ""
    start = chart.axis.low if chart.start is None else chart.start
    ends = sorted(_across(chart, end) for end in (start, start if bar.value is None else bar.value))
    within = f" ({interval})" if interval else ""
    note = f", {chart.note_head} {bar.note}" if bar.note else ""
    return {
        "bar": bar,
        "top": _ROW * place,
        "ends": ends,
        "at": None if bar.value is None else _across(chart, bar.value),
        "whisker": [_across(chart, end) for end in (bar.low, bar.high)] if has_interval else None,
        "value": value,
        "text": f"{bar.name}: {chart.axis.label} {value}{within}{note}",
        "cells": [bar.name, value, interval, bar.note],
    }


def _across(chart: BarChart, value: float) -> float:
    return round(float(_LEFT + chart.axis.place(value) * (WIDTH - RIGHT - 14 - _LEFT)), 2)
