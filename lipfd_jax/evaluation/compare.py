"""Two sets of scores for the same windows: how far apart they are, and what each amounts to."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from lipfd_jax.evaluation.metrics import THRESHOLD, Metrics, video_metrics, window_metrics
from lipfd_jax.evaluation.scores import Scores, ScoresError
from lipfd_jax.evaluation.table import columns_table, printable
from lipfd_jax.vocabulary import parse_picture_name, picture_name

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


def compare(ours: Scores, theirs: Scores, threshold: float = THRESHOLD) -> Comparison:
    """Matches windows by the end of their paths, CLASS/NAME_J.png, whatever folders stand before.

    Raises ScoresError where one side holds a window twice or the two disagree about a label.
    """
    our_keys, their_keys = _keys(ours), _keys(theirs)
    shared = [key for key in our_keys if key in their_keys]
    ours_shared = ours.select(np.array([our_keys[key] for key in shared], np.int64))
    theirs_shared = theirs.select(np.array([their_keys[key] for key in shared], np.int64))
    for key, label, other in zip(shared, ours_shared.label, theirs_shared.label, strict=True):
        if label != other:
            raise ScoresError(f"window {key}: label {label} on one side, {other} on the other")
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
        ours=window_metrics(ours_shared, threshold),
        theirs=window_metrics(theirs_shared, threshold),
        our_videos=video_metrics(ours_shared, threshold),
        their_videos=video_metrics(theirs_shared, threshold),
    )


def comparison_text(comparison: Comparison, *, ours: str = "these", theirs: str = "the others") -> str:
    """The comparison to print; `ours` and `theirs` name the two sides."""
    lines = [
        f"{comparison.shared:,} shared windows",
        _only(comparison.only_ours, ours),
        _only(comparison.only_theirs, theirs),
    ]
    if not comparison.shared:
        return "\n".join(
            [*lines, "nothing to compare: windows match by the end of their path, CLASS/NAME_J.png"]
        )
    lines += [
        f"largest difference of a score {comparison.largest:.3g} ({printable(comparison.largest_window)})",
        f"mean difference {comparison.mean:.3g}",
        f"{comparison.flipped:,} windows on different sides of {comparison.threshold:g}",
    ]
    table = columns_table(
        {
            f"windows: {ours}": comparison.ours,
            f"windows: {theirs}": comparison.theirs,
            f"videos: {ours}": comparison.our_videos,
            f"videos: {theirs}": comparison.their_videos,
        }
    )
    return "\n".join([*lines, "", "On the shared windows", table])


def comparison_json(comparison: Comparison) -> dict:
    """The comparison for metrics.json; of the windows on one side only, how many."""
    only = {"only_ours": len(comparison.only_ours), "only_theirs": len(comparison.only_theirs)}
    return {**dataclasses.asdict(comparison), **only}


def _keys(scores: Scores) -> dict[str, int]:
    keys: dict[str, int] = {}
    for place, path in enumerate(scores.path):
        named = parse_picture_name(path)
        key = picture_name(named.video, named.window) if named else path
        if keys.setdefault(key, place) != place:
            raise ScoresError(f"two windows end in {key}: {scores.path[keys[key]]!r} and {path!r}")
    return keys


def _only(windows: tuple[str, ...], name: str) -> str:
    shown = ", ".join(map(printable, windows[:_SHOWN])) + (", ..." if len(windows) > _SHOWN else "")
    return f"{len(windows):,} only in {name}" + (f": {shown}" if windows else "")
