"""Comparison of two sets of scores for the same windows: distances, metrics and paired differences."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import (
    DEFAULT_BOOTSTRAP,
    BootstrapSettings,
    Intervals,
    compute_difference_intervals,
)
from lipfd_jax.evaluation.metrics.compute import Metrics, compute_video_metrics, compute_window_metrics
from lipfd_jax.evaluation.metrics.metric import Granularity
from lipfd_jax.evaluation.metrics.pooling import MEAN_POOLING, Pooling, VideoScores, pool_videos
from lipfd_jax.evaluation.metrics.scores import Scores, ScoresError
from lipfd_jax.evaluation.metrics.table import list_metrics
from lipfd_jax.evaluation.report.metrics_json import ComparisonRecord, DifferenceRecord
from lipfd_jax.evaluation.report.text_tables import (
    align_columns,
    format_columns,
    format_interval,
    format_number,
)
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.vocabulary import THRESHOLD, composite_name, parse_composite_name

_SHOWN = 5  # windows listed by name of those that only one side has


@dataclass(frozen=True)
class Comparison:
    """Two sets of scores, `ours` and `theirs`; differences and metrics are over the shared windows."""

    shared: int
    only_ours: tuple[str, ...]  # CLASS/NAME_J.png
    only_theirs: tuple[str, ...]
    largest: float | None  # largest |ours - theirs|; None where nothing is shared
    largest_window: str  # where that is, "" where nothing is shared
    mean: float | None  # mean |ours - theirs|
    threshold: float
    flipped: int  # windows called real by one and fake by the other, at the threshold
    ours: Metrics
    theirs: Metrics
    our_videos: Metrics
    their_videos: Metrics
    window_differences: Intervals  # ours - theirs, with the same sources drawn for both
    video_differences: Intervals


def compare_scores(
    ours: Scores,
    theirs: Scores,
    threshold: float = THRESHOLD,
    pooling: Pooling = MEAN_POOLING,
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
) -> Comparison:
    """Matches windows by the end of their paths, CLASS/NAME_J.png, whatever folders precede it.

    Scores are compared as they are, not calibrated; videos by the windows that both sides have; sources
    are those of `ours`.

    Raises ScoresError where one side holds a window twice or the two disagree about a label.
    """
    our_keys, their_keys = _index_windows(ours), _index_windows(theirs)
    shared = [key for key in our_keys if key in their_keys]
    ours_shared = ours.select(np.array([our_keys[key] for key in shared], np.int64))
    theirs_shared = theirs.select(np.array([their_keys[key] for key in shared], np.int64))
    for key, label, other in zip(shared, ours_shared.label, theirs_shared.label, strict=True):
        if label != other:
            raise ScoresError(f"window {key}: label {label} on one side, {other} on the other")
    # Whatever the other side calls its videos, the same windows make them.
    theirs_shared = dataclasses.replace(theirs_shared, video=ours_shared.video, source=ours_shared.source)
    apart = np.abs(ours_shared.score - theirs_shared.score)
    return Comparison(
        shared=len(shared),
        only_ours=tuple(key for key in our_keys if key not in their_keys),
        only_theirs=tuple(key for key in their_keys if key not in our_keys),
        largest=float(apart.max()) if shared else None,
        largest_window=shared[int(apart.argmax())] if shared else "",
        mean=float(apart.mean()) if shared else None,
        threshold=threshold,
        flipped=int(((ours_shared.score >= threshold) != (theirs_shared.score >= threshold)).sum()),
        ours=compute_window_metrics(ours_shared, threshold),
        theirs=compute_window_metrics(theirs_shared, threshold),
        our_videos=compute_video_metrics(ours_shared, threshold, pooling),
        their_videos=compute_video_metrics(theirs_shared, threshold, pooling),
        window_differences=_compute_differences(ours_shared, theirs_shared, threshold, bootstrap, "windows"),
        video_differences=_compute_differences(
            pool_videos(ours_shared, pooling),
            pool_videos(theirs_shared, pooling),
            threshold,
            bootstrap,
            "videos",
        ),
    )


def format_comparison(comparison: Comparison, *, ours: str = "these", theirs: str = "the others") -> str:
    """The comparison to print; `ours` and `theirs` name the two sides."""
    lines = [
        f"{comparison.shared:,} shared windows",
        _describe_unshared(comparison.only_ours, ours),
        _describe_unshared(comparison.only_theirs, theirs),
    ]
    if not comparison.shared:
        return "\n".join(
            [*lines, "nothing to compare: windows match by the end of their path, CLASS/NAME_J.png"]
        )
    lines += [
        f"largest difference of a score {comparison.largest:.3g} "
        f"({escape_controls(comparison.largest_window)})",
        f"mean difference {comparison.mean:.3g}",
        f"{comparison.flipped:,} windows on different sides of {comparison.threshold:g}",
    ]
    table = format_columns(
        {
            f"windows: {ours}": comparison.ours,
            f"windows: {theirs}": comparison.theirs,
            f"videos: {ours}": comparison.our_videos,
            f"videos: {theirs}": comparison.their_videos,
        }
    )
    return "\n".join([*lines, "", "On the shared windows", table, "", _format_differences(comparison)])


def record_comparison(comparison: Comparison) -> ComparisonRecord:
    """The comparison for metrics.json; of the windows on one side only, how many."""
    fields = {one.name: getattr(comparison, one.name) for one in dataclasses.fields(comparison)}
    return ComparisonRecord(
        **fields
        | {
            "only_ours": len(comparison.only_ours),
            "only_theirs": len(comparison.only_theirs),
            "window_differences": _record_differences(comparison, "windows"),
            "video_differences": _record_differences(comparison, "videos"),
        }
    )


def compute_difference(ours: Metrics, theirs: Metrics, metric: str) -> float | None:
    """Ours - theirs; None where either lacks the metric."""
    a, b = ours[metric], theirs[metric]
    return None if a is None or b is None else a - b


def _compute_differences(
    ours: Scores | VideoScores,
    theirs: Scores | VideoScores,
    threshold: float,
    bootstrap: BootstrapSettings,
    granularity: Granularity,
) -> Intervals:
    both = (threshold, threshold)
    columns = (ours.label, ours.score, theirs.score, ours.source)
    return compute_difference_intervals(*columns, both, bootstrap, granularity=granularity)


def _record_differences(comparison: Comparison, granularity: Granularity) -> dict[str, DifferenceRecord]:
    ours, theirs, intervals = _select_metrics(comparison, granularity)
    return {
        name: DifferenceRecord(compute_difference(ours, theirs, name), list(ends) if ends else None)
        for name, ends in intervals.values.items()
    }


def _format_differences(comparison: Comparison) -> str:
    """Differences in a table; the file has those of all metrics."""
    sides = [_select_metrics(comparison, "windows"), _select_metrics(comparison, "videos")]
    lines = [["difference", "windows", "interval", "videos", "interval"]]
    for metric in list_metrics("comparison"):
        line = [metric.name]
        for ours, theirs, intervals in sides:
            difference = compute_difference(ours, theirs, metric.name)
            line += [format_number(difference), format_interval(intervals[metric.name])]
        lines.append(line)
    intervals = comparison.video_differences
    title = (
        f"Ours - theirs, {intervals.bootstrap.confidence:.0%} intervals over sources; "
        "one that holds 0 shows no difference"
    )
    warnings = [f"warning: {intervals.warning}"] if intervals.warning else []
    return "\n".join([title, align_columns(lines), *warnings])


def _select_metrics(comparison: Comparison, granularity: Granularity) -> tuple[Metrics, Metrics, Intervals]:
    if granularity == "windows":
        return comparison.ours, comparison.theirs, comparison.window_differences
    return comparison.our_videos, comparison.their_videos, comparison.video_differences


def _index_windows(scores: Scores) -> dict[str, int]:
    keys: dict[str, int] = {}
    for place, path in enumerate(scores.path):
        named = parse_composite_name(path)
        key = composite_name(named.video, named.window) if named else path
        if keys.setdefault(key, place) != place:
            raise ScoresError(f"two windows end in {key}: {scores.path[keys[key]]!r} and {path!r}")
    return keys


def _describe_unshared(windows: tuple[str, ...], name: str) -> str:
    shown = ", ".join(map(escape_controls, windows[:_SHOWN])) + (", ..." if len(windows) > _SHOWN else "")
    return f"{len(windows):,} only in {name}" + (f": {shown}" if windows else "")
