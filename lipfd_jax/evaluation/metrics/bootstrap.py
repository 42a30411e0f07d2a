"""How far figures would swing had other sources been filmed: intervals by bootstrap sources again.

Videos of one source share footage or a person, so they are drawn together. Sources are drawn with
replacement among those of their kind (with real videos, with fakes, with both), so that each copy of the
data keeps both classes and as many sources of each kind (cluster bootstrap, stratified; Efron and
Tibshirani, 1993; Field and Welsh, 2007). Intervals are percentiles of the figures of all copies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lipfd_jax.evaluation.metrics.calibration_metrics import (
    BINS,
    assign_bins,
    compute_cllr_costs,
    compute_min_cllr_from_counts,
)
from lipfd_jax.evaluation.metrics.compute import PARTIAL_FPR, check_columns

FEW_SOURCES = 20  # sources of a class below which an interval is too narrow to be relied on


@dataclass(frozen=True)
class BootstrapSettings:
    """How intervals are made; the same bootstrap gives the same intervals."""

    draws: int = 1000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self):
        if self.draws < 1 or not 0 < self.confidence < 1 or self.seed < 0:
            raise ValueError(
                f"{self}: expected at least one draw, a confidence between 0 and 1, a seed from 0 on"
            )


DEFAULT_BOOTSTRAP = BootstrapSettings()


@dataclass(frozen=True)
class Intervals:
    """Low and high end of each figure; None where some copy of the data has no such figure."""

    values: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    real_sources: int = 0  # sources with a real video
    fake_sources: int = 0
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP

    def __getitem__(self, name: str) -> tuple[float, float] | None:
        return self.values.get(name)

    @property
    def warning(self) -> str:
        """Says that the intervals are too narrow, and why; "" where nothing speaks for it."""
        counts = {"real": self.real_sources, "fake": self.fake_sources}
        few = [f"{count} of {name} ones" for name, count in counts.items() if 0 < count < FEW_SOURCES]
        if not few:
            return ""
        return f"intervals are too narrow: fewer than {FEW_SOURCES} sources ({', '.join(few)})"


def compute_intervals(
    labels: np.ndarray,
    scores: np.ndarray,
    sources: np.ndarray,
    threshold: float,
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
) -> Intervals:
    """Intervals of the figures of labels (n,), scores (n,) and the source (n,) each belongs to."""
    if not len(labels):
        return Intervals(bootstrap=bootstrap)
    draws, place, counts = draw_sources(labels, sources, bootstrap)
    figures = weighted_metrics(labels, scores, draws, place, threshold)
    return Intervals(_percentiles(figures, bootstrap.confidence), *counts, bootstrap)


def compute_difference_intervals(
    labels: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    sources: np.ndarray,
    thresholds: tuple[float, float],
    bootstrap: BootstrapSettings = DEFAULT_BOOTSTRAP,
) -> Intervals:
    """Intervals of ours - theirs, two columns of scores for the same things, in the same draws."""
    if not len(labels):
        return Intervals(bootstrap=bootstrap)
    draws, place, counts = draw_sources(labels, sources, bootstrap)
    columns = zip((ours, theirs), thresholds, strict=True)
    a, b = (weighted_metrics(labels, scores, draws, place, threshold) for scores, threshold in columns)
    return Intervals(
        _percentiles({name: a[name] - b[name] for name in a}, bootstrap.confidence), *counts, bootstrap
    )


def draw_sources(
    labels: np.ndarray, sources: np.ndarray, bootstrap: BootstrapSettings
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """How often each source is drawn (d, m), the source of each label (n,), and the sources of each class."""
    names, place = np.unique(sources, return_inverse=True)
    real, fake = (np.bincount(place[labels == label], minlength=len(names)) > 0 for label in (0, 1))
    draws = np.zeros((bootstrap.draws, len(names)), np.int32)
    random = np.random.default_rng(bootstrap.seed)
    for kind in (real & ~fake, fake & ~real, real & fake):
        count = int(kind.sum())
        if count:
            draws[:, kind] = random.multinomial(count, np.full(count, 1 / count), bootstrap.draws)
    return draws, place, (int(real.sum()), int(fake.sum()))


def _percentiles(
    figures: Mapping[str, np.ndarray], confidence: float
) -> dict[str, tuple[float, float] | None]:
    ends = (1 - confidence) / 2, (1 + confidence) / 2
    found: dict[str, tuple[float, float] | None] = {}
    for name, values in figures.items():
        known = bool(np.isfinite(values).all())
        found[name] = tuple(float(end) for end in np.quantile(values, ends)) if known else None
    return found


_CELLS = 2**21  # weights in hand at once, however many scores: some 200 MB with all that is derived


def weighted_metrics(
    labels: np.ndarray,
    scores: np.ndarray,
    draws: np.ndarray,
    place: np.ndarray,
    threshold: float,
    *,
    ranks_only: bool = False,
) -> dict[str, np.ndarray]:
    """Figures of `Metrics` by name, each (d,) float64, for d draws.

    Args:
      labels: (n,) 0 real, 1 fake.
      scores: (n,) probabilities of fake.
      draws: (d, m) whole numbers: how often each source was drawn.
      place: (n,) source of each score, 0..m-1.
      threshold: a score of at least this is called fake.
      ranks_only: leave out what takes scores for probabilities (Brier to Cllr), which is most of the work.

    NaN stands where a draw lacks what a figure needs.
    """
    labels, scores = check_columns(labels, scores)
    ranked = _Ranked(labels, scores, place, threshold)
    rows = max(1, _CELLS // max(1, len(scores)))
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [ranked.figures(draws[i : i + rows], ranks_only) for i in range(0, len(draws), rows)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Ranked:
    """Scores from the highest to the lowest, with what of each does not depend on the draw."""

    def __init__(self, labels: np.ndarray, scores: np.ndarray, place: np.ndarray, threshold: float):
        order = np.argsort(-scores, kind="stable")
        labels, scores, self.place = labels[order], scores[order], place[order]
        self.fake = labels == 1
        self.last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))  # ends of runs of ties
        self.thresholds = np.concatenate([[np.inf], scores[self.last]])
        self.called = int((scores >= threshold).sum())  # they come first
        self.squared = (scores - labels) ** 2
        self.costs = compute_cllr_costs(labels, scores)
        self.bins = assign_bins(scores)
        self.gap = scores - labels

    def figures(self, draws: np.ndarray, ranks_only: bool) -> dict[str, np.ndarray]:
        weights = draws[:, self.place].astype(np.float64)
        rising = np.zeros((2, len(draws), weights.shape[1] + 1))  # fakes and all called fake so far
        np.cumsum(weights * self.fake, 1, out=rising[0, :, 1:])
        np.cumsum(weights, 1, out=rising[1, :, 1:])
        at = np.concatenate([[0], self.last + 1])
        tp, fp = rising[0][:, at], (rising[1] - rising[0])[:, at]
        called = rising[0][:, self.called], (rising[1] - rising[0])[:, self.called]
        return {
            **_at_threshold(*called, tp[:, -1], fp[:, -1]),
            **_of_curve(tp, fp, self.thresholds),
            **({} if ranks_only else self._of_probabilities(weights, tp, fp)),
        }

    def _of_probabilities(self, weights: np.ndarray, tp: np.ndarray, fp: np.ndarray) -> dict[str, np.ndarray]:
        fakes, real = tp[:, -1], fp[:, -1]
        n = fakes + real
        gaps = [weights[:, self.bins == k] @ self.gap[self.bins == k] for k in range(BINS)]
        cost_of_fakes = weights[:, self.fake] @ self.costs[self.fake] / fakes
        found = (cost_of_fakes + weights[:, ~self.fake] @ self.costs[~self.fake] / real) / 2
        least = np.array([_least(*counts) for counts in zip(np.diff(tp), np.diff(fp), strict=True)])
        return {
            "brier": weights @ self.squared / n,
            "log_loss": np.log(2) * (weights @ self.costs) / n,
            "ece": np.abs(gaps).sum(0) / n,
            "cllr": found,
            "min_cllr": least,
            "calibration_loss": found - least,
        }


def _at_threshold(
    tp: np.ndarray, fp: np.ndarray, fakes: np.ndarray, real: np.ndarray
) -> dict[str, np.ndarray]:
    fpr, fnr = fp / real, (fakes - tp) / fakes
    return {
        "acc": (tp + real - fp) / (fakes + real),
        "balanced_acc": 1 - (fpr + fnr) / 2,
        "fpr": fpr,
        "fnr": fnr,
        "f1": 2 * tp / (tp + fp + fakes),
    }


def _of_curve(tp: np.ndarray, fp: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    fakes, real = tp[:, -1:], fp[:, -1:]
    precision = np.nan_to_num(tp[:, 1:] / (tp[:, 1:] + fp[:, 1:]))
    area = (np.diff(fp) * (tp[:, 1:] + tp[:, :-1])).sum(1)
    eer, eer_threshold = _equal_error_rate(fp / real + tp / fakes - 1, fp / real, thresholds)
    one_class = (fakes[:, 0] == 0) | (real[:, 0] == 0)
    found = {
        "ap": (np.diff(tp) * precision).sum(1) / fakes[:, 0],
        "auc": area / (2 * fakes * real)[:, 0],
        "partial_auc": _partial_auc(tp / fakes, fp / real),
        "eer": eer,
        "eer_threshold": eer_threshold,
        "tpr_at_fpr_1": _tpr_at(tp / fakes, fp, 0.01 * real),
        "tpr_at_fpr_5": _tpr_at(tp / fakes, fp, 0.05 * real),
    }
    found = {name: np.where(one_class, np.nan, values) for name, values in found.items()}
    return {**found, "best_acc": (tp + real - fp).max(1) / (fakes + real)[:, 0]}


def _equal_error_rate(
    gap: np.ndarray, fpr: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    after = np.maximum(np.argmax(gap >= 0, 1), 1)[:, None]
    # Of points that no drawn score tells apart the first: the others' thresholds are of scores not drawn.
    before = np.argmax(gap >= np.take_along_axis(gap, after - 1, 1), 1)[:, None]
    (gap0, gap1), (fpr0, fpr1) = (
        [np.take_along_axis(values, index, 1)[:, 0] for index in (before, after)] for values in (gap, fpr)
    )
    share = gap0 / (gap0 - gap1)
    high, low = thresholds[before[:, 0]], thresholds[after[:, 0]]
    between = high + share * (low - high)
    return fpr0 + share * (fpr1 - fpr0), np.where(np.isfinite(high), between, low)


def _partial_auc(tpr: np.ndarray, fpr: np.ndarray) -> np.ndarray:
    """Area up to `PARTIAL_FPR`, scaled by McClish so that guessing gives 0.5 and perfect is 1."""
    width = np.diff(fpr)
    inside = np.clip(PARTIAL_FPR - fpr[:, :-1], 0, width)
    slope = np.where(width > 0, np.diff(tpr) / width, 0)
    area = (inside * (tpr[:, :-1] + slope * inside / 2)).sum(1)
    least = PARTIAL_FPR**2 / 2
    return (1 + (area - least) / (PARTIAL_FPR - least)) / 2


def _tpr_at(tpr: np.ndarray, fp: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    return np.where(fp <= allowed + 1e-9, tpr, 0).max(1)


def _least(fakes: np.ndarray, real: np.ndarray) -> float:
    # Curves run from the highest score down, isotonic maps from the lowest up.
    return compute_min_cllr_from_counts(fakes[::-1], real[::-1]) if fakes.any() and real.any() else np.nan
