"""Line charts as inline SVG with readable points, each with the same values as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from lipfd_jax.pages.axes import Axis
from lipfd_jax.pages.rendering import render_template

# Units of the drawing: about a phone's pixels, so that text is readable there.
WIDTH, HEIGHT = 360, 290
LEFT, RIGHT, TOP, BOTTOM = 50, 8, 8, 40
_DASHES = ("", "6 3", "2 3", "8 3 2 3")  # lines differ by more than colour
_READABLE = 40  # points of a line that can be read, and its rows in the table


@dataclass(frozen=True, eq=False)
class Series:
    """One line of a chart, or the outline of a histogram."""

    name: str
    x: np.ndarray  # (n,) float; for steps (n + 1,): the edges
    y: np.ndarray  # (n,) float
    colour: str = "accent"  # class of the style sheet: accent, second, third, fake or real
    dash: int = 0  # which of the dashes; 0 is drawn through
    steps: bool = False  # a filled outline of level steps
    dots: bool = False  # every point is marked
    low: np.ndarray | None = None  # (n,): intervals of y, drawn as whiskers
    high: np.ndarray | None = None
    marks: tuple[int, ...] = ()  # points with a large dot, such as that of the threshold
    notes: tuple[str, ...] = ()  # (n,): a note on each point, such as its threshold


@dataclass(frozen=True, eq=False)
class Guide:
    """A faint reference line, such as the diagonal of guessing."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Chart:
    """A line chart. All text is plain and is escaped; the caption may be Markup."""

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Series]
    caption: str | Markup = ""
    guides: Sequence[Guide] = ()
    note_head: str = ""  # heading of the column of notes
    height: int = HEIGHT


def render_chart(chart: Chart) -> Markup:
    """Renders the chart as a <figure>: drawing, legend, reading line, caption and table.

    The page's script makes points focusable; without it they have a <title>. Of long lines 40 points or so
    can be read.
    """
    lines = [_series_values(chart, line, place) for place, line in enumerate(chart.lines)]
    return render_template(
        "lipfd_jax.pages",
        "chart.html",
        chart=chart,
        size=(WIDTH, chart.height),
        box=(LEFT, TOP, WIDTH - RIGHT, chart.height - BOTTOM),
        x_ticks=[(*_place_point(chart, tick, chart.y.low), chart.x.text(tick)) for tick in chart.x.ticks],
        y_ticks=[(*_place_point(chart, chart.x.low, tick), chart.y.text(tick)) for tick in chart.y.ticks],
        guides=[_draw_path(chart, guide.x, guide.y) for guide in chart.guides],
        lines=lines,
        rows=[row for line in lines for row in line["rows"]],
    )


def thin_points(x: np.ndarray, y: np.ndarray, count: int, keep: Sequence[int] = ()) -> np.ndarray:
    """Indices of about `count` points of a line (n,), even along its length, with both ends and `keep`."""
    if len(x) <= count:
        return np.arange(len(x))
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    even = np.searchsorted(length, np.linspace(0, length[-1], count))
    return np.unique(np.concatenate([even, [0, len(x) - 1], np.asarray(keep, np.int64)]).astype(np.int64))


def _series_values(chart: Chart, line: Series, place: int) -> dict:
    """Template values of a line."""
    outline = _step_outline(line) if line.steps else (line.x, line.y)
    x = (line.x[:-1] + line.x[1:]) / 2 if line.steps else line.x
    shown = thin_points(chart.x.place(x), chart.y.place(line.y), _READABLE, line.marks)
    points = [_point_values(chart, line, x, index) for index in shown]
    area = _draw_path(chart, *_close_outline(outline, chart.y.low)) if line.steps else ""
    return {
        "place": place,
        "name": line.name,
        "colour": line.colour,
        "dash": _DASHES[line.dash % len(_DASHES)],
        "path": _draw_path(chart, *outline),
        "area": area,
        "points": points,
        "dots": line.dots,
        "marks": [_place_point(chart, x[index], line.y[index]) for index in line.marks],
        "whiskers": [_place_whisker(chart, line, x, index) for index in range(len(line.y))]
        if line.low is not None
        else [],
        "rows": [point["cells"] for point in points],
    }


def _point_values(chart: Chart, line: Series, x: np.ndarray, index: int) -> dict:
    if line.steps:
        across = f"{chart.x.read(line.x[index])} to {chart.x.read(line.x[index + 1])}"
    else:
        across = chart.x.read(x[index])
    up = chart.y.read(line.y[index])
    if line.low is not None and line.high is not None:
        up += f" ({chart.y.read(line.low[index])} to {chart.y.read(line.high[index])})"
    note = line.notes[index] if line.notes else ""
    text = f"{line.name}: {chart.x.label} {across}, {chart.y.label} {up}"
    noted = f", {chart.note_head} {note}" if note else ""
    left, top = _place_point(chart, x[index], line.y[index])
    return {"x": left, "y": top, "text": text + noted, "cells": [line.name, across, up, note]}


def _place_whisker(chart: Chart, line: Series, x: np.ndarray, index: int) -> tuple[float, float, float]:
    assert line.low is not None
    assert line.high is not None
    left, low = _place_point(chart, x[index], line.low[index])
    return left, low, _place_point(chart, x[index], line.high[index])[1]


def _step_outline(line: Series) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(line.x, 2)[1:-1], np.repeat(line.y, 2)


def _close_outline(outline: tuple[np.ndarray, np.ndarray], floor: float) -> tuple[np.ndarray, np.ndarray]:
    x, y = outline
    return np.concatenate([x[:1], x, x[-1:]]), np.concatenate([[floor], y, [floor]])


def _draw_path(chart: Chart, x: np.ndarray | Sequence[float], y: np.ndarray | Sequence[float]) -> str:
    """SVG path through points; at most one per half unit, which keeps long curves small."""
    places = np.stack(_place_point(chart, np.asarray(x), np.asarray(y)), axis=1)
    places = np.round(2 * places) / 2
    moved = np.append(True, (np.diff(places, axis=0) != 0).any(axis=1))
    return "M" + "L".join(f"{left:g} {top:g}" for left, top in places[moved])


def _place_point(chart: Chart, x: np.ndarray | float, y: np.ndarray | float) -> tuple:
    """Position of a point in the drawing."""
    left = LEFT + chart.x.place(x) * (WIDTH - RIGHT - LEFT)
    top = chart.height - BOTTOM - chart.y.place(y) * (chart.height - BOTTOM - TOP)
    return np.round(left, 2), np.round(top, 2)
