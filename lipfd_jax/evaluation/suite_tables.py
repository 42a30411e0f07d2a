"""What the tables of both suites say of a cell: figures with their intervals, and how far they moved."""

from markupsafe import Markup

from lipfd_jax.evaluation.effects import CLEAN
from lipfd_jax.evaluation.suite import Cell
from lipfd_jax.pages.formats import decimal, interval, percent, signed


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
