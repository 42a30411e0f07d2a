"""Content of metrics.json as dataclasses, from which the file is written and its schema generated.

Fields, in this order, are the keys. A field with a default is left out where it holds it, and the keys of
a field marked `flat` become keys of its owner. Numbers are finite, rates are fractions.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from lipfd_jax.evaluation.metrics import table
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.compute import Metrics, ReleasedMetrics
from lipfd_jax.evaluation.metrics.pooling import POOLINGS, Decision
from lipfd_jax.evaluation.metrics.summary import MetricSet, MetricSummary, PartKind
from lipfd_jax.evaluation.suites.results import SuiteName, SuiteResult, Suites
from lipfd_jax.storage.json_types import Count, Keywords, Share, limit

VERSION: Final = 2  # version of the keys; rises when one is removed or changes its meaning


def _name_metrics() -> dict[str, Any]:
    """Keys are names of metrics with intervals."""
    return {"propertyNames": {"enum": [metric.name for metric in table.METRICS if metric.has_interval]}}


Ends = Annotated[list[float], limit(minItems=2, maxItems=2)]  # low and high end of an interval
_BY_METRIC = Keywords(_name_metrics)


@dataclass(frozen=True)
class DecisionRecord:
    """How windows become a video's verdict."""

    pooling: Annotated[str, Keywords(lambda: {"enum": list(POOLINGS)})]
    top: Annotated[int, limit(minimum=1)] | None  # for topk: how many of the highest windows are averaged
    threshold: Share  # a video whose score (calibrated, if so) is at least this is called fake
    threshold_choice: str  # where the threshold comes from, in words
    calibration: dict[str, Any] | None  # as in calibration.json


@dataclass(frozen=True)
class BootstrapRecord:
    """How intervals were computed."""

    unit: Literal["source"]  # what was drawn with replacement
    draws: Annotated[int, limit(minimum=1)]
    seed: Count
    level: Annotated[float, limit(exclusiveMinimum=0, exclusiveMaximum=1)]  # confidence


@dataclass(frozen=True)
class MetricSetRecord:
    """Metrics of windows or of videos with their intervals."""

    metrics: Metrics = field(metadata={"flat": True})
    intervals: Annotated[dict[str, Ends | None], _BY_METRIC]
    real_sources: Count  # sources with a real video
    fake_sources: Count
    warning: str  # why intervals are too narrow; "" where they are not


@dataclass(frozen=True)
class SummaryRecord:
    """Metrics of windows and of videos."""

    windows: MetricSetRecord
    videos: MetricSetRecord


@dataclass(frozen=True)
class DifferenceRecord:
    """Ours - theirs of one metric, with its paired interval."""

    value: float | None
    interval: Ends | None


@dataclass(frozen=True)
class ComparisonRecord:
    """Two sets of scores; metrics and differences are over the shared windows."""

    shared: Count  # windows
    only_ours: Count
    only_theirs: Count
    largest: float | None  # largest |ours - theirs| of a score
    largest_window: str  # where that is; "" where nothing is shared
    mean: float | None  # mean |ours - theirs|
    threshold: float
    flipped: Count  # windows called real by one and fake by the other
    ours: Metrics
    theirs: Metrics
    our_videos: Metrics
    their_videos: Metrics
    window_differences: Annotated[dict[str, DifferenceRecord], _BY_METRIC]
    video_differences: Annotated[dict[str, DifferenceRecord], _BY_METRIC]


@dataclass(frozen=True)
class MetricsFile:
    """All metrics of an evaluation."""

    version: Literal[2]
    notes: dict[str, str]  # what the scores are of
    decision: DecisionRecord
    bootstrap: BootstrapRecord
    summary: SummaryRecord = field(metadata={"flat": True})
    parts: dict[PartKind, dict[str, SummaryRecord]]
    as_released: ReleasedMetrics
    suites: dict[SuiteName, SuiteResult] | None = None
    comparison: ComparisonRecord | None = None

    def to_json(self) -> dict[str, Any]:
        """The content of the file: strings, numbers, None, lists and mappings."""
        return to_json(self)


def build_metrics_file(
    summary: MetricSummary,
    released: ReleasedMetrics,
    notes: Mapping[str, str],
    suites: Suites,
    comparison: ComparisonRecord | None = None,
) -> MetricsFile:
    """The content of metrics.json, from a summary and the results of suites by name."""
    return MetricsFile(
        version=VERSION,
        notes={str(key): str(value) for key, value in notes.items()},
        decision=_record_decision(summary.decision),
        bootstrap=_record_bootstrap(summary.windows.intervals.bootstrap),
        summary=_record_summary(summary),
        parts={
            kind: {name: _record_summary(part) for name, part in parts.items()}
            for kind, parts in summary.parts.items()
        },
        as_released=released,
        suites=dict(suites) or None,
        comparison=comparison,
    )


def _record_decision(decision: Decision) -> DecisionRecord:
    calibration = decision.calibration
    return DecisionRecord(
        pooling=decision.pooling.kind,
        top=decision.pooling.top,
        threshold=decision.threshold,
        threshold_choice=decision.chosen,
        calibration=calibration.to_json() if calibration else None,
    )


def _record_bootstrap(bootstrap: BootstrapSettings) -> BootstrapRecord:
    return BootstrapRecord("source", bootstrap.draws, bootstrap.seed, bootstrap.confidence)


def _record_summary(summary: MetricSummary) -> SummaryRecord:
    return SummaryRecord(_record_set(summary.windows), _record_set(summary.videos))


def _record_set(one: MetricSet) -> MetricSetRecord:
    intervals = one.intervals
    return MetricSetRecord(
        metrics=one.metrics,
        intervals={name: list(ends) if ends else None for name, ends in intervals.values.items()},
        real_sources=intervals.real_sources,
        fake_sources=intervals.fake_sources,
        warning=intervals.warning,
    )


def to_json(value: Any) -> Any:
    """A record as plain values."""
    if not isinstance(value, MetricsFile) and hasattr(value, "to_json"):
        return value.to_json()
    if dataclasses.is_dataclass(value):
        content: dict[str, Any] = {}
        for one in dataclasses.fields(value):
            item = getattr(value, one.name)
            if item is not one.default:
                content |= to_json(item) if one.metadata.get("flat") else {one.name: to_json(item)}
        return content
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, list | tuple) else value
