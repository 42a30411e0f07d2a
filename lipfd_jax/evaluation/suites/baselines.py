"""Baselines without a model: matched rank and AUC by file properties alone, and by sharpness of mouths."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings, compute_intervals
from lipfd_jax.evaluation.metrics.compute import compute_metrics
from lipfd_jax.evaluation.metrics.source_metrics import rank_within_sources
from lipfd_jax.evaluation.suites.results import Baseline

_FOLDS = 5
_TREES, _LEAF = 200, 2  # trees of the forest, and videos in a leaf at least
_MEANING = {
    "file properties": "Reached here by a small random forest on size, aspect, rates, length, formats and, "
    "where known, framing, each video scored by one that never saw its source: a detector must do better to "
    "show anything.",
    "mouth sharpness": "Reached here by how sharp mouths are alone, sharper or blurrier called fake as other "
    "sources suggest: a detector must do better to show anything.",
}
_LACKING = {  # in a few words: the same in a sentence
    "too few sources": "Not known here: a class has too few sources to fit on and score.",
    "needs the clips": "Not known here: the files have to be at hand (--clips).",
}

_Folds = Sequence[tuple[np.ndarray, np.ndarray]]  # places of videos to fit on, and to score


def compute_baselines(rows: Sequence[dict[str, Any]], bootstrap: BootstrapSettings) -> tuple[Baseline, ...]:
    """Matched ranks and AUCs of videos by properties that need no model, as the detector's are computed.

    Folds keep sources together: each video is scored by a fit to others. Where a class has fewer than two
    sources, or files are not at hand, both are None and `lacking` gives the reason. The same rows give the
    same baselines.

    Args:
      rows: of `measure_video`, one a video.
    """
    labels = np.array([row["label"] for row in rows])
    sources = np.array([row["source"] for row in rows], object)
    folds = _split_sources(labels, sources)
    files = [row["file"] for row in rows]
    sharpness = np.array([row["sharpness"] for row in rows])
    few = "" if folds else "too few sources"
    lacking = {"file properties": few if all(files) else "needs the clips", "mouth sharpness": few}
    fits: dict[str, Callable[[], np.ndarray]] = {
        "file properties": lambda: _fit_forest(encode_one_hot(files), labels, folds),
        "mouth sharpness": lambda: _orient_sharpness(sharpness, labels, sources, folds),
    }
    return tuple(
        _without_scores(name, reason)
        if reason
        else _make_baseline(name, labels, fits[name](), sources, bootstrap)
        for name, reason in lacking.items()
    )


def encode_one_hot(rows: Sequence[dict[str, float | str]]) -> np.ndarray:
    """Features (n, k) float64 of n rows: numbers as they are, a column for each word of a text column.

    Columns that a row lacks, such as one measured by an earlier version, are left out.
    """
    columns: list[list[Any]] = []
    for name in [name for name in rows[0] if all(name in row for row in rows)]:
        values = [row[name] for row in rows]
        if isinstance(values[0], str):
            columns += [[float(value == word) for value in values] for word in sorted(set(values))]
        else:
            columns.append(values)
    return np.array(columns, np.float64).T


def _split_sources(labels: np.ndarray, sources: np.ndarray) -> _Folds:
    """Folds that keep sources together; none where some fit would lack a class."""
    from sklearn.model_selection import StratifiedGroupKFold

    count = min(_FOLDS, *(len(set(sources[labels == label])) for label in (0, 1)))
    if count < 2:
        return []
    _, groups = np.unique(sources, return_inverse=True)
    split = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    folds = list(split.split(labels, labels, groups))
    return folds if all(len(set(labels[fitted])) == 2 for fitted, _ in folds) else []


def _fit_forest(columns: np.ndarray, labels: np.ndarray, folds: _Folds) -> np.ndarray:
    """Probabilities of fake (n,) by a random forest on columns (n, k)."""
    from sklearn.ensemble import RandomForestClassifier

    scores = np.zeros(len(labels))
    for fitted, scored in folds:
        forest = RandomForestClassifier(
            _TREES, min_samples_leaf=_LEAF, class_weight="balanced", random_state=0
        )
        forest.fit(columns[fitted], labels[fitted])
        scores[scored] = forest.predict_proba(columns[scored])[:, 1]
    return scores


def _orient_sharpness(
    sharpness: np.ndarray, labels: np.ndarray, sources: np.ndarray, folds: _Folds
) -> np.ndarray:
    """Scores (n,) in 0..1 by sharpness alone, in the direction that ranks other sources' videos better."""
    centred, scores = sharpness - np.median(sharpness), np.zeros(len(labels))
    for fitted, scored in folds:
        sign = _find_direction(sharpness[fitted], labels[fitted], sources[fitted])
        scores[scored] = 1 / (1 + np.exp(-sign * centred[scored]))
    return scores


def _find_direction(values: np.ndarray, labels: np.ndarray, sources: np.ndarray) -> int:
    """1 where fakes have the higher values, else -1: within sources, or over all where none holds both."""
    _, place = np.unique(sources, return_inverse=True)
    ranks = rank_within_sources(labels, values, place)
    if not np.isfinite(ranks).any():
        ranks = rank_within_sources(labels, values, np.zeros_like(place))
    return 1 if np.nanmean(ranks) > 0.5 else -1


def _make_baseline(
    name: str, labels: np.ndarray, scores: np.ndarray, sources: np.ndarray, bootstrap: BootstrapSettings
) -> Baseline:
    metrics = compute_metrics(labels, scores, sources=sources)
    ends = compute_intervals(labels, scores, sources, 0.5, bootstrap)
    return Baseline(
        name=name,
        auc=metrics.auc,
        auc_interval=ends["auc"],
        matched_rank=metrics.matched_rank,
        matched_rank_interval=ends["matched_rank"],
        meaning=_MEANING[name],
    )


def _without_scores(name: str, lacking: str) -> Baseline:
    return Baseline(
        name=name,
        auc=None,
        auc_interval=None,
        matched_rank=None,
        matched_rank_interval=None,
        lacking=lacking,
        meaning=_LACKING[lacking],
    )
