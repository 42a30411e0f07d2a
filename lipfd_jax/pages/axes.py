"""The axes of a chart: where a value lies between their ends, and which values are written beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import ndtri

from lipfd_jax.pages.formats import decimal, short

Scale = Callable[[np.ndarray], np.ndarray]
_LOWEST = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # where an axis of errors may begin
_DEVIATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_APART = 0.09  # of the axis, between its ticks


@dataclass(frozen=True)
class Axis:
    """One axis; `scale` makes even what is drawn even."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    text: Callable[[float], str] = short  # how a value is written beside a tick
    scale: Scale = np.asarray
    exact: Callable[[float], str] | None = None  # in a reading, where that is more than beside a tick

    def read(self, value: float) -> str:
        """A value as readings and tables have it."""
        return (self.exact or self.text)(value)

    def place(self, values: np.ndarray | float) -> np.ndarray:
        """Where values lie, 0 at the low end and 1 at the high one; values beyond an end lie on it."""
        inside = np.clip(np.asarray(values, np.float64), self.low, self.high)
        low, high = (self.scale(np.float64(end)) for end in (self.low, self.high))
        return (self.scale(inside) - low) / (high - low)


def shares(
    label: str, *, scale: Scale = np.asarray, ticks: Sequence[float] = (0, 0.2, 0.4, 0.6, 0.8, 1)
) -> Axis:
    """Fractions from 0 to 1, written as per cent."""
    return Axis(label, 0.0, 1.0, tuple(ticks), share_text, scale)


def unit(label: str) -> Axis:
    """From 0 to 1, written as decimals, as scores and AUCs are: with three digits after the point."""
    return Axis(label, 0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), exact=partial(decimal, digits=3))


def small_shares(label: str) -> Axis:
    """Fractions from 0 to 1 drawn by their square root, so that rare things can be seen."""
    return shares(label, scale=np.sqrt, ticks=(0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1))


def error_shares(label: str, *, lowest: float) -> Axis:
    """Error rates as normal deviates (a DET axis), from a round value at or below `lowest` to 0.9.

    Normally distributed scores give straight lines; rates of 0 and 1 lie on the ends.
    """
    low = max([value for value in _LOWEST if value <= lowest], default=_LOWEST[0])
    axis = Axis(label, low, 0.9, (), share_text, ndtri)
    ticks: list[float] = []
    for value in (low, *(tick for tick in _DEVIATES if tick > low)):
        if not ticks or axis.place(value) - axis.place(ticks[-1]) > _APART:
            ticks.append(value)
    return replace(axis, ticks=tuple(ticks))


def numbers(
    label: str, values: Sequence[float] | np.ndarray, *, text: Callable[[float], str] = short
) -> Axis:
    """A plain axis around values, its ticks at 1, 2 or 5 times a power of ten."""
    low, high = float(np.min(values)), float(np.max(values))
    span = high - low or abs(high) or 1.0
    step = _round_step(span / 5)
    first, last = np.floor(low / step), np.ceil(high / step)
    last = max(last, first + 1)
    ticks = tuple(float(round(k * step, 10)) for k in np.arange(first, last + 1))
    return Axis(label, ticks[0], ticks[-1], ticks, text)


def share_text(value: float) -> str:
    """A fraction as per cent, with as many digits as tell something."""
    return f"{short(round(100 * float(value), 6))}\u00a0%"


def _round_step(about: float) -> float:
    power = 10.0 ** np.floor(np.log10(about))
    return float(power * next(m for m in (1, 2, 5, 10) if m * power >= about * 0.999))
