"""Curves and histograms as inline SVG that takes its colours from the page, for light and dark."""

import html
import io
import re
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lipfd_jax.evaluation.metrics import THRESHOLD, Curve, curve

# Colours drawn with, each replaced by a variable of the page's style sheet.
_INK, _FAINT, _CARD = "#010101", "#020202", "#030303"
_REAL, _FAKE, _FIRST, _SECOND = "#040404", "#050505", "#060606", "#070707"
_VARIABLES = {
    _INK: "--ink",
    _FAINT: "--line",
    _CARD: "--card",
    _REAL: "--real",
    _FAKE: "--fake",
    _FIRST: "--accent",
    _SECOND: "--second",
}
_SIZE = (4.8, 4.0)  # inches at 72 units each: about the width of a phone, so that 10 pt stays readable there
_CORNER = 0.2  # side of the enlarged corner
_LINES = ((_FIRST, "-", "o"), (_SECOND, "--", "s"))  # told apart by more than colour


def roc_svg(columns: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """ROC curves of up to two named (labels, scores); each must hold both classes.

    A mark on each curve shows the threshold 0.5; good curves get their corner enlarged.
    """
    figure, axes = _figure()
    curves = {name: curve(labels, scores) for name, (labels, scores) in columns.items()}
    _draw_curves(axes, curves)
    axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1)
    axes.text(0.1, 0.12, "guessing", color=_INK, rotation=40, rotation_mode="anchor", fontsize=8.5)
    axes.plot([], [], "o", color=_INK, markersize=5, label=f"threshold {THRESHOLD}")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_xlabel("false alarms: share of the real ones called fake")
    axes.set_ylabel("share of the fakes found")
    if all(_reaches_corner(points) for points in curves.values()):
        corner = axes.inset_axes((0.4, 0.38, 0.57, 0.52), xlim=(-0.004, _CORNER), ylim=(1 - _CORNER, 1.004))
        _style(corner)
        _draw_curves(corner, curves)
        corner.set_title("the corner, enlarged", color=_INK, fontsize=8.5)
        corner.set_facecolor(_CARD)
        axes.indicate_inset((0, 1 - _CORNER, _CORNER, _CORNER), edgecolor=_INK, alpha=0.5)
    for one in (axes, *axes.child_axes):
        one.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        one.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=_INK)
    return _svg(figure, "ROC curve of " + " and ".join(columns))


def histogram_svg(labels: np.ndarray, scores: np.ndarray, *, noun: str = "windows") -> str:
    """How scores of real and of fake ones spread over 0..1, as shares of each class; `noun` names them.

    Heights follow the square root: a good detector piles up at the ends, and its errors lie between.
    """
    figure, axes = _figure()
    bins = np.linspace(0, 1, 41)
    for label, name, color in ((0, "real", _REAL), (1, "fake", _FAKE)):
        part = scores[labels == label]
        if len(part):
            heights = np.histogram(part, bins)[0] / len(part)
            axes.stairs(heights, bins, fill=True, color=color, alpha=0.25)
            axes.stairs(heights, bins, color=color, linewidth=1.5, label=f"{name} {noun} ({len(part):,})")
    axes.axvline(THRESHOLD, color=_INK, linewidth=1, linestyle=":")
    axes.set_yscale("function", functions=(lambda share: np.sqrt(np.maximum(share, 0)), np.square))
    axes.set(xlim=(0, 1), xlabel="score (from the dotted line on: called fake)")
    axes.set_ylabel(f"share of the real / of the fake {noun}")
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9, labelcolor=_INK)
    return _svg(figure, f"Histogram of the scores of real and fake {noun}")


def _draw_curves(axes: Axes, curves: Mapping[str, Curve]) -> None:
    for (name, points), (color, style, marker) in zip(curves.items(), _LINES, strict=False):
        axes.plot(points.fpr, points.tpr, style, color=color, linewidth=1.8, label=name)
        at = np.searchsorted(-points.thresholds, -THRESHOLD, side="right") - 1
        axes.plot(points.fpr[at], points.tpr[at], marker, color=color, markersize=6)


def _reaches_corner(points: Curve) -> bool:
    return bool(np.any((points.fpr < _CORNER / 2) & (points.tpr > 1 - _CORNER / 2)))


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained", facecolor="none")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _style(axes)
    return figure, axes


def _style(axes: Axes) -> None:
    axes.spines[:].set_color(_FAINT)
    axes.set_facecolor("none")
    axes.tick_params(colors=_INK, labelsize=9, length=3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=_INK, fontsize=9.5)
    axes.grid(color=_FAINT, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)


def _svg(figure: Figure, description: str) -> str:
    """The figure as an <svg> element without size, metadata or name spaces, fit to stand in a page."""
    stream = io.StringIO()
    # A fixed salt gives equal ids, hence equal files, for equal figures.
    with matplotlib.rc_context({"svg.hashsalt": "lipfd", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    view = re.search(r'viewBox="[^"]*"', text)[0]
    text = re.sub(
        r"<svg[^>]*>", f'<svg {view} role="img" aria-label="{html.escape(description)}">', text, count=1
    )
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    return text
