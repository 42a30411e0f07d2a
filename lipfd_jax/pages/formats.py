"""Formats of numbers on pages, also available as filters in templates."""

from types import MappingProxyType

NONE = "\u2013"  # shown for a missing value


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction as per cent; a dash for None."""
    return NONE if value is None else f"{100 * value:.{digits}f}\u00a0%"


def decimal(value: float | None, digits: int = 4) -> str:
    """A number with `digits` after the point; a dash for None."""
    return NONE if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign, none where it rounds to 0; a dash for None."""
    if value is None:
        return NONE
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}".replace("-", "\u2212") if rounded else f"{0:.{digits}f}"


def count(value: int) -> str:
    """A whole number with commas between thousands."""
    return f"{value:,}"


def short(value: float) -> str:
    """A number for an axis or a reading: up to four significant digits, no exponent near 1."""
    return f"{value:.4g}"


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval as 'low to high'; "" where there is none."""
    return "" if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"


def first_cells(row: list, number: int = 3) -> list:
    """The first cells of a table's row, for tables without the last column."""
    return row[:number]


FILTERS = MappingProxyType(
    {f.__name__: f for f in (percent, decimal, signed, count, short, interval, first_cells)}
)
