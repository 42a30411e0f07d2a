"""Charts: every point at its values, readable, and the same values in the table."""

import html.parser
import re

import numpy as np
import pytest

from lipfd_jax.pages.axes import det_axis, number_axis, percent_axis, sqrt_percent_axis, unit_axis
from lipfd_jax.pages.bars import Bar, BarChart, render_bars
from lipfd_jax.pages.charts import Chart, Guide, Series, render_chart, thin_points


class _Drawing(html.parser.HTMLParser):
    """Circles of class point with their titles, and the cells of the table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.points, self.cells, self.inside = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        if tag == "circle" and dict(attrs)["class"] == "point":
            self.points.append({**dict(attrs), "text": ""})
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "title":
            self.points[-1]["text"] += data
        elif self.inside in ("td", "th"):
            self.cells[-1] += data


def _chart(line: Series, **options) -> Chart:
    return Chart("Some", unit_axis("score"), percent_axis("share"), [line], **options)


def test_points_lie_where_their_values_say():
    drawing = _Drawing(render_chart(_chart(Series("one", np.array([0, 0.5, 1]), np.array([0, 0.25, 1])))))
    places = [(float(point["cx"]), float(point["cy"])) for point in drawing.points]
    (left, bottom), middle, (right, top) = places
    assert middle == pytest.approx(((left + right) / 2, bottom + 0.25 * (top - bottom)))
    assert top < bottom
    assert left < right
    assert drawing.points[1]["text"] == "one: score 0.500, share 25\u00a0%"
    assert drawing.cells[-6:] == ["one", "0.500", "25\u00a0%", "one", "1.000", "100\u00a0%"]


def test_steps_name_their_edges_and_intervals_stand_beside():
    steps = Series(
        "one", np.array([0, 0.5, 1]), np.array([0.2, 0.8]), steps=True, notes=("2 of 10", "8 of 10")
    )
    drawing = _Drawing(render_chart(_chart(steps, note_head="count")))
    assert [point["text"] for point in drawing.points] == [
        "one: score 0.000 to 0.500, share 20\u00a0%, count 2 of 10",
        "one: score 0.500 to 1.000, share 80\u00a0%, count 8 of 10",
    ]
    whiskers = Series("one", np.array([0.5]), np.array([0.5]), low=np.array([0.25]), high=np.array([0.75]))
    text = render_chart(_chart(whiskers))
    assert "50\u00a0% (25\u00a0% to 75\u00a0%)" in text
    assert text.count('class="whisker"') == 1


def test_long_lines_stay_small_and_keep_their_marks():
    x = np.linspace(0, 1, 50_000)
    chart = _chart(Series("one", x, x**2, marks=(31_234,)), guides=[Guide((0, 1), (0, 1))])
    text = render_chart(chart)
    assert len(text) < 40_000
    drawing = _Drawing(text)
    assert 30 <= len(drawing.points) <= 45
    assert any(f"score {31_234 / 49_999:.3f}" in point["text"] for point in drawing.points)


def test_thinned_keeps_ends_and_what_it_must():
    x = np.arange(100.0)
    kept = thin_points(x, x, 10, keep=[42])
    assert {0, 42, 99} <= set(kept.tolist())
    assert len(kept) <= 12
    assert thin_points(x[:5], x[:5], 10).tolist() == [0, 1, 2, 3, 4]


def test_names_are_escaped():
    evil = "<b>&\"'"
    line = Series(evil, np.array([0.0, 1]), np.array([0.0, 1]), notes=(evil, evil))
    charts = render_chart(
        Chart(evil, unit_axis(evil), unit_axis(evil), [line, line], caption=evil, note_head=evil)
    )
    bars = render_bars(
        BarChart(evil, unit_axis(evil), [Bar(evil, 0.5, note=evil)], caption=evil, note_head=evil)
    )
    for text in (charts, bars):
        assert "<b>" not in text
        assert evil not in text


def test_bars_and_their_table():
    bars = [Bar("first", 0.75, 0.5, 1.0), Bar("second", 0.5), Bar("none", None, lacking="no clips")]
    drawing = _Drawing(render_bars(BarChart("Some", unit_axis("AUC"), bars, guides=(0.5,))))
    assert [point["text"] for point in drawing.points] == [
        "first: AUC 0.750 (0.500 to 1.000)",
        "second: AUC 0.500",
    ]
    assert drawing.cells[-9:] == [
        "first",
        "0.750",
        "0.500 to 1.000",
        "second",
        "0.500",
        "",
        "none",
        "no clips",
        "",
    ]
    first, second = (float(point["cx"]) for point in drawing.points)
    widths = [
        float(width)
        for width in re.findall(
            r'class="bar"[^>]*width="([\d.]+)"', str(render_bars(BarChart("Some", unit_axis("AUC"), bars)))
        )
    ]
    assert widths[0] == pytest.approx(1.5 * widths[1], abs=0.1)
    assert widths[2] == 0
    assert first - second == pytest.approx(widths[0] - widths[1], abs=0.1)


def test_axes():
    assert unit_axis("").place([0, 0.25, 1, 2, -1]).tolist() == [0, 0.25, 1, 1, 0]
    assert sqrt_percent_axis("").place(0.25) == pytest.approx(0.5)
    axis = det_axis("", lowest=0.003)
    assert axis.low == 0.002
    # Even steps of the normal deviate: 2.28 % and 15.87 % are one and two deviations from a half.
    assert axis.place(0.5) - axis.place(0.158655) == pytest.approx(
        axis.place(0.158655) - axis.place(0.02275), abs=1e-4
    )
    assert axis.place(0) == 0
    assert np.diff(axis.place(np.array(axis.ticks))).min() > 0.08
    assert number_axis("", [-1.7, 2.2]).ticks == (-2, -1, 0, 1, 2, 3)
    assert number_axis("", [0.001, 0.0042]).low == 0.001
    assert number_axis("", [3, 3]).low <= 3 < number_axis("", [3, 3]).high
