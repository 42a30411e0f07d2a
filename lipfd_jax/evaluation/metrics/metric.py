"""A metric: how it is computed from a sample, and how it is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lipfd_jax.evaluation.metrics import detection_metrics as detection
from lipfd_jax.evaluation.metrics.resamples import Resamples
from lipfd_jax.evaluation.metrics.samples import Sample

Direction = Literal["higher", "lower", "none"]
Granularity = Literal["windows", "videos"]
View = Literal["text", "page", "further", "grid", "comparison", "suites", "suite_differences"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number computed from a sample, and how it is shown."""

    name: str  # key in files
    label: str  # title in text tables; {at} becomes the threshold; two leading blanks: part of the row above
    description: str  # plain sentence under the title on pages; {at} likewise
    direction: Direction  # which values are better
    compute: Callable[[Sample], Any]  # a number; NaN where it is undefined
    resample: Callable[[Resamples], detection.Rates] | None = None  # (d,) for d draws, where that is faster
    has_interval: bool = True
    both_classes: bool = False  # None for samples of one class
    needs_sources: bool = False  # None where the sample has no sources
    granularity: tuple[Granularity, ...] = ("windows", "videos")  # None for others
    title: str = ""  # on pages
    digits: int = 5  # after the point, in text tables
    integer: bool = False
    percent: bool = False  # on pages
    minimum: float | None = 0
    maximum: float | None = 1
    detail: Callable[[Any], str] | None = None  # counts or place, shown beneath the number
    views: Mapping[View, int] = field(default_factory=dict)  # where it is shown -> position among the rows
