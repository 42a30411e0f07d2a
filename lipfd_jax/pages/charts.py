"""Charts of lines as inline SVG in the page's colours, their points readable, each with a table twin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from lipfd_jax.pages.axes import Axis
from lipfd_jax.pages.rendering import render

# Units of the drawing: about pixels of a phone, so that the text stays readable there.
WIDTH, HEIGHT = 360, 290
LEFT, RIGHT, TOP, BOTTOM = 50, 8, 8, 40
_DASHES = ("", "6 3", "2 3", "8 3 2 3")  # lines are told apart by more than colour
_READABLE = 40  # points of a line that can be read, and rows of it in the table


@dataclass(frozen=True, eq=False)
class Line:
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
    marks: tuple[int, ...] = ()  # points with a large dot, as where the threshold lies
    notes: tuple[str, ...] = ()  # (n,): more to say of each point, such as its threshold


@dataclass(frozen=True, eq=False)
class Guide:
    """A faint line to judge by, such as the diagonal of guessing."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Chart:
    """Lines between two axes. All text is plain; the caption may be Markup."""

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    caption: str | Markup = ""
    guides: Sequence[Guide] = ()
    note_head: str = ""  # what the notes of the points say, as a table's heading
    height: int = HEIGHT


def chart_html(chart: Chart) -> Markup:
    """The chart as a <figure>: drawing, legend, reading line, caption and table.

    Points are focusable by the page's script and carry a <title> for where it doesn't run; long lines give
    as many as can be told apart.
    """
    lines = [_drawn(chart, line, place) for place, line in enumerate(chart.lines)]
    return render(
        "lipfd_jax.pages",
        "chart.html",
        chart=chart,
        size=(WIDTH, chart.height),
        box=(LEFT, TOP, WIDTH - RIGHT, chart.height - BOTTOM),
        x_ticks=[(*_at(chart, tick, chart.y.low), chart.x.text(tick)) for tick in chart.x.ticks],
        y_ticks=[(*_at(chart, chart.x.low, tick), chart.y.text(tick)) for tick in chart.y.ticks],
        guides=[_path(chart, guide.x, guide.y) for guide in chart.guides],
        lines=lines,
        rows=[row for line in lines for row in line["rows"]],
    )


def thinned(x: np.ndarray, y: np.ndarray, count: int, keep: Sequence[int] = ()) -> np.ndarray:
    """About `count` places of a line (n,), evenly along its length, the ends and `keep` among them."""
    if len(x) <= count:
        return np.arange(len(x))
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    even = np.searchsorted(length, np.linspace(0, length[-1], count))
    return np.unique(np.concatenate([even, [0, len(x) - 1], np.asarray(keep, np.int64)]).astype(np.int64))


def _drawn(chart: Chart, line: Line, place: int) -> dict:
    """What the template needs of a line."""
    outline = _stairs(line) if line.steps else (line.x, line.y)
    x = (line.x[:-1] + line.x[1:]) / 2 if line.steps else line.x
    shown = thinned(chart.x.place(x), chart.y.place(line.y), _READABLE, line.marks)
    points = [_point(chart, line, x, index) for index in shown]
    area = _path(chart, *_closed(outline, chart.y.low)) if line.steps else ""
    return {
        "place": place,
        "name": line.name,
        "colour": line.colour,
        "dash": _DASHES[line.dash % len(_DASHES)],
        "path": _path(chart, *outline),
        "area": area,
        "points": points,
        "dots": line.dots,
        "marks": [_at(chart, x[index], line.y[index]) for index in line.marks],
        "whiskers": [_whisker(chart, line, x, index) for index in range(len(line.y))]
        if line.low is not None
        else [],
        "rows": [point["cells"] for point in points],
    }


def _point(chart: Chart, line: Line, x: np.ndarray, index: int) -> dict:
    if line.steps:
        across = f"{chart.x.read(line.x[index])} to {chart.x.read(line.x[index + 1])}"
    else:
        across = chart.x.read(x[index])
    up = chart.y.read(line.y[index])
    if line.low is not None:
        up += f" ({chart.y.read(line.low[index])} to {chart.y.read(line.high[index])})"
    note = line.notes[index] if line.notes else ""
    says = f"{line.name}: {chart.x.label} {across}, {chart.y.label} {up}"
    noted = f", {chart.note_head} {note}" if note else ""
    left, top = _at(chart, x[index], line.y[index])
    return {"x": left, "y": top, "text": says + noted, "cells": [line.name, across, up, note]}


def _whisker(chart: Chart, line: Line, x: np.ndarray, index: int) -> tuple[float, float, float]:
    left, low = _at(chart, x[index], line.low[index])
    return left, low, _at(chart, x[index], line.high[index])[1]


def _stairs(line: Line) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(line.x, 2)[1:-1], np.repeat(line.y, 2)


def _closed(outline: tuple[np.ndarray, np.ndarray], floor: float) -> tuple[np.ndarray, np.ndarray]:
    x, y = outline
    return np.concatenate([x[:1], x, x[-1:]]), np.concatenate([[floor], y, [floor]])


def _path(chart: Chart, x: Sequence[float], y: Sequence[float]) -> str:
    """An SVG path through places; at most one point per half unit, so that huge curves stay small."""
    places = np.stack(_at(chart, np.asarray(x), np.asarray(y)), axis=1)
    places = np.round(2 * places) / 2
    moved = np.append(True, (np.diff(places, axis=0) != 0).any(axis=1))
    return "M" + "L".join(f"{left:g} {top:g}" for left, top in places[moved])


def _at(chart: Chart, x: np.ndarray | float, y: np.ndarray | float) -> tuple:
    """Where a point of the axes lies in the drawing."""
    left = LEFT + chart.x.place(x) * (WIDTH - RIGHT - LEFT)
    top = chart.height - BOTTOM - chart.y.place(y) * (chart.height - BOTTOM - TOP)
    return np.round(left, 2), np.round(top, 2)
