"""Computes all metrics of windows or videos from labels and continuous scores. Positive means fake."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lipfd_jax.evaluation.metrics import table
from lipfd_jax.evaluation.metrics.metric import Granularity, Metric
from lipfd_jax.evaluation.metrics.pooling import MEAN_POOLING, Pooling, pool_videos
from lipfd_jax.evaluation.metrics.resamples import Resamples, split_draws
from lipfd_jax.evaluation.metrics.samples import Sample
from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.evaluation.metrics.source_metrics import NO_MATCHED_SOURCE, count_matched_sources
from lipfd_jax.vocabulary import THRESHOLD

_RELEASED_THRESHOLD = 0.5
_CELLS = 2**21  # weights in memory at once, for any number of scores: some 200 MB with all that is derived


@dataclass(frozen=True)
class Metrics:
    """All metrics of one sample; each of the table's names is also an attribute, such as `auc`."""

    n: int
    positives: int  # fakes
    threshold: float  # a score of at least this is called fake
    values: Mapping[str, float | int | None]  # by metric; rates are fractions; None where undefined
    missing: str = ""  # why some are None

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("values", {})  # copying asks before there are any
        if name not in values:
            raise AttributeError(f"{name}: neither a field of Metrics nor a metric of the table")
        return values[name]

    def to_json(self) -> dict[str, Any]:
        """All of it as one flat mapping of plain values."""
        facts = {"n": self.n, "positives": self.positives, "threshold": self.threshold}
        return {**facts, **self.values, "missing": self.missing}


@dataclass(frozen=True)
class ReleasedMetrics:
    """Metrics that the released validation prints; None where undefined."""

    acc: float | None
    ap: float | None  # on predictions already rounded to 0 and 1, so far lower than the usual AP
    fpr: float | None  # in truth the false *negative* rate: the confusion matrix is unpacked in another order
    fnr: float | None  # in truth the false *positive* rate


def compute_metrics(
    labels: np.ndarray,
    scores: np.ndarray,
    threshold: float = THRESHOLD,
    *,
    sources: np.ndarray | None = None,
    granularity: Granularity | None = None,
) -> Metrics:
    """All metrics of a sample. Those that compare the classes are None where there is only one, or nothing.

    Args:
      labels: (n,) 0 real, 1 fake.
      scores: (n,) probabilities of fake.
      threshold: a score of at least this is called fake.
      sources: (n,) the source that each belongs to, for metrics that need them.
      granularity: windows or videos; metrics of other granularities are None. By default all are computed.

    Raises:
      ValueError: other shapes, other labels, or scores that are not numbers in 0..1.
    """
    sample = Sample.build(labels, scores, threshold, sources)
    return Metrics(
        n=len(sample),
        positives=int(sample.fakes),
        threshold=sample.threshold,
        values={metric.name: _compute_metric(metric, sample, granularity) for metric in table.METRICS},
        missing=_explain_missing(sample),
    )


def resample_metrics(
    sample: Sample,
    place: np.ndarray,
    draws: np.ndarray,
    *,
    names: Iterable[str] | None = None,
    granularity: Granularity | None = None,
) -> dict[str, np.ndarray]:
    """Metrics of bootstrap draws by name, each (d,) float64; NaN where a draw lacks what a metric needs.

    Args:
      place: (n,) source of each score, 0..m-1.
      draws: (d, m) whole numbers: how often each source was drawn.
      names: of the metrics wanted; by default all that have intervals.
      granularity: windows or videos; metrics of other granularities are omitted.
    """
    wanted = [
        metric
        for metric in table.METRICS
        if (metric.has_interval if names is None else metric.name in names)
        and (granularity is None or granularity in metric.granularity)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [
            {metric.name: _resample_metric(metric, part) for metric in wanted}
            for part in split_draws(sample, place, draws, _CELLS)
        ]
    return {metric.name: np.concatenate([part[metric.name] for part in parts]) for metric in wanted}


def compute_window_metrics(scores: Scores, threshold: float = THRESHOLD) -> Metrics:
    """Metrics with every window counted once."""
    return compute_metrics(
        scores.label, scores.score, threshold, sources=scores.source, granularity="windows"
    )


def compute_video_metrics(
    scores: Scores, threshold: float = THRESHOLD, pooling: Pooling = MEAN_POOLING
) -> Metrics:
    """Metrics with every video counted once, by its windows' pooled score, not calibrated."""
    videos = pool_videos(scores, pooling)
    return compute_metrics(videos.label, videos.score, threshold, sources=videos.source, granularity="videos")


def compute_released_metrics(scores: Scores) -> ReleasedMetrics:
    """Metrics of the released code's validation, with its AP and its naming of the error rates.

    They are at threshold 0.5, independent of the threshold of other metrics.
    """
    metrics = compute_window_metrics(scores, _RELEASED_THRESHOLD)
    rounded = (scores.score >= _RELEASED_THRESHOLD).astype(np.float64)
    rounded_ap = compute_metrics(scores.label, rounded)["ap"]
    return ReleasedMetrics(acc=metrics["acc"], ap=rounded_ap, fpr=metrics["fnr"], fnr=metrics["fpr"])


def _compute_metric(metric: Metric, sample: Sample, granularity: Granularity | None) -> float | int | None:
    if metric.integer and not len(sample):
        return 0
    if not _is_defined(metric, sample, granularity):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(sample.cached(metric.compute))
    if not np.isfinite(value):
        return None
    return int(value) if metric.integer else value


def _is_defined(metric: Metric, sample: Sample, granularity: Granularity | None) -> bool:
    return (
        len(sample) > 0
        and (sample.has_both_classes or not metric.both_classes)
        and (sample.sources is not None or not metric.needs_sources)
        and (granularity is None or granularity in metric.granularity)
    )


def _resample_metric(metric: Metric, draws: Resamples) -> np.ndarray:
    """Values (d,) of a metric: by its own function of all draws, or one draw at a time."""
    if metric.resample is None:
        values = [_compute_metric(metric, copy, None) for copy in draws.copies()]
        return np.array([np.nan if value is None else value for value in values], np.float64)
    values = np.broadcast_to(draws.cached(metric.resample), len(draws.draws)).astype(np.float64)
    one_class = (draws.fakes == 0) | (draws.real == 0)
    return np.where(one_class, np.nan, values) if metric.both_classes else values


def _explain_missing(sample: Sample) -> str:
    """Why some metrics are None; "" where none is, or where only sources are unknown."""
    if not len(sample):
        return "nothing was scored"
    if sample.has_both_classes:
        unmatched = sample.sources is not None and not count_matched_sources(sample)
        return NO_MATCHED_SOURCE if unmatched else ""
    kind = "fake" if sample.fakes else "real"
    return f"all {len(sample)} are {kind}: AUC, AP and EER compare the two classes"
