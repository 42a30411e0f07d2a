"""Axes of charts: scale, ticks and labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import ndtri

from lipfd_jax.pages.formats import decimal, short

Scale = Callable[[Any], Any]
_LOWEST = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # low ends of an error axis
_DEVIATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_APART = 0.09  # smallest distance of two ticks, as a share of the axis


@dataclass(frozen=True)
class Axis:
    """One axis of a chart."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    text: Callable[[float], str] = short  # formats a tick
    scale: Scale = np.asarray  # maps values to positions on the axis
    exact: Callable[[float], str] | None = None  # formats a reading, if more precisely than a tick

    def read(self, value: float) -> str:
        """Formats a value for readings and tables."""
        return (self.exact or self.text)(value)

    def place(self, values: np.ndarray | float) -> np.ndarray:
        """Positions of values, 0 at the low end and 1 at the high end; values beyond an end are clipped."""
        inside = np.clip(np.asarray(values, np.float64), self.low, self.high)
        low, high = (self.scale(np.float64(end)) for end in (self.low, self.high))
        return (self.scale(inside) - low) / (high - low)


def percent_axis(
    label: str, *, scale: Scale = np.asarray, ticks: Sequence[float] = (0, 0.2, 0.4, 0.6, 0.8, 1)
) -> Axis:
    """Axis of fractions from 0 to 1, written as per cent."""
    return Axis(label, 0.0, 1.0, tuple(ticks), format_percent, scale)


def unit_axis(label: str) -> Axis:
    """Axis from 0 to 1 for scores and AUCs; readings have three digits after the point."""
    return Axis(label, 0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), exact=partial(decimal, digits=3))


def sqrt_percent_axis(label: str) -> Axis:
    """Axis of fractions from 0 to 1 on a square-root scale, on which small ones remain distinct."""
    return percent_axis(label, scale=np.sqrt, ticks=(0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1))


def det_axis(label: str, *, lowest: float) -> Axis:
    """DET axis: error rates as normal deviates, from a round value at or below `lowest` to 0.9.

    Normally distributed scores give straight lines; rates of 0 and 1 are drawn at the ends.
    """
    low = max([value for value in _LOWEST if value <= lowest], default=_LOWEST[0])
    axis = Axis(label, low, 0.9, (), format_percent, ndtri)
    ticks: list[float] = []
    for value in (low, *(tick for tick in _DEVIATES if tick > low)):
        if not ticks or axis.place(value) - axis.place(ticks[-1]) > _APART:
            ticks.append(value)
    return replace(axis, ticks=tuple(ticks))


def number_axis(
    label: str, values: Sequence[float] | np.ndarray, *, text: Callable[[float], str] = short
) -> Axis:
    """Linear axis around values, with ticks at multiples of 1, 2 or 5 times a power of ten."""
    low, high = float(np.min(values)), float(np.max(values))
    span = high - low or abs(high) or 1.0
    step = _find_step(span / 5)
    first, last = np.floor(low / step), np.ceil(high / step)
    last = max(last, first + 1)
    ticks = tuple(float(round(k * step, 10)) for k in np.arange(first, last + 1))
    return Axis(label, ticks[0], ticks[-1], ticks, text)


def format_percent(value: float) -> str:
    """Formats a fraction as per cent with its significant digits."""
    return f"{short(round(100 * float(value), 6))}\u00a0%"


def _find_step(about: float) -> float:
    power = 10.0 ** np.floor(np.log10(about))
    return float(power * next(m for m in (1, 2, 5, 10) if m * power >= about * 0.999))
