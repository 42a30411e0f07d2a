"""Example windows of a report: which ones to show, and what the page says beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lipfd_jax.evaluation.metrics.scores import Scores
from lipfd_jax.pages.images import data_uri, overlaid
from lipfd_jax.vocabulary import LABELS, REGIONS

_GROUPS = {
    (1, True): "Fakes called fake: right, surest first",
    (0, True): "Real called real: right, surest first",
    (1, False): "Fakes called real: missed, worst first",
    (0, False): "Real called fake: false alarms, worst first",
}
_FULL = 99.0  # percentile of a map's values drawn in the full colour


@dataclass(frozen=True, eq=False)
class ExampleWindow:
    """One window to show."""

    image: np.ndarray  # (height, width, 3) uint8 RGB: the composite
    path: str  # as in the scores
    label: int  # 0 real, 1 fake
    score: float
    region_weights: np.ndarray | None = None  # (5, 3): per frame the weights of head, face and lip
    saliency: np.ndarray | None = None  # (rows, columns) float: models.saliency's map of the composite


@dataclass(frozen=True)
class ExampleView:
    """A window as the page shows it."""

    path: str
    truth: str  # real or fake
    called: str
    score: float
    image: str  # a data: address
    overlay: str  # the same with the saliency over it; "" where that is not known
    mel_share: float | None  # of the saliency, what lies on the mel half
    weights: list[list[str]]  # a table's rows: region, its weight in each frame, mean


def choose_examples(scores: Scores, *, count: int = 2, threshold: float = 0.5) -> np.ndarray:
    """Positions in `scores` of the windows worth showing, int64.

    Of real and of fake windows the `count` most confidently right and the `count` most confidently wrong
    ones, each from another video where there are enough.
    """
    chosen: list[int] = []
    for label, right in _GROUPS:
        called = (scores.score >= threshold).astype(np.int64)
        group = np.flatnonzero((scores.label == label) & ((called == label) == right))
        group = group[np.argsort(-np.abs(scores.score[group] - threshold), kind="stable")]
        firsts = np.sort(np.unique(scores.video[group], return_index=True)[1])
        others = np.setdiff1d(np.arange(len(group)), firsts)
        chosen += group[np.concatenate([firsts, others])[:count]].tolist()
    return np.array(chosen, np.int64)


def group_examples(
    pictures: Sequence[ExampleWindow], *, threshold: float = 0.5
) -> list[tuple[str, list[ExampleView]]]:
    """The pictures in four groups (real or fake, right or wrong) with their headings, most confident first.

    Raises ValueError, naming the picture, for images, weights or maps of a wrong form.
    """
    groups = []
    for (label, right), title in _GROUPS.items():
        group = [p for p in pictures if p.label == label and ((p.score >= threshold) == label) == right]
        if group:
            group.sort(key=lambda picture: -abs(picture.score - threshold))
            groups.append((title, [build_example_view(picture, threshold=threshold) for picture in group]))
    return groups


def build_example_view(picture: ExampleWindow, *, threshold: float = 0.5) -> ExampleView:
    """One window as a page shows it: picture, saliency and weights made ready. Raises ValueError."""
    try:
        image = data_uri(picture.image)
    except ValueError as error:
        raise ValueError(f"picture of {picture.path!r} {error}") from None
    overlay, mel_share = _overlay(picture)
    return ExampleView(
        path=str(picture.path),
        truth=LABELS[picture.label],
        called=LABELS[int(picture.score >= threshold)],
        score=picture.score,
        image=image,
        overlay=overlay,
        mel_share=mel_share,
        weights=_weights(picture),
    )


def _overlay(picture: ExampleWindow) -> tuple[str, float | None]:
    """Mel and frames each in their own scale: frames count through the crops too, and would hide the mel."""
    if picture.saliency is None:
        return "", None
    heat = np.asarray(picture.saliency, np.float64)
    if heat.ndim != 2 or not np.isfinite(heat).all():
        raise ValueError(f"saliency of {picture.path!r} must be a map (rows, columns) of finite numbers")
    middle = len(heat) // 2
    scaled = np.concatenate(
        [part / (np.percentile(part, _FULL) or 1) for part in (heat[:middle], heat[middle:])]
    )
    total = heat.sum()
    return data_uri(overlaid(picture.image, scaled)), float(heat[:middle].sum() / total) if total else None


def _weights(picture: ExampleWindow) -> list[list[str]]:
    if picture.region_weights is None:
        return []
    weights = np.asarray(picture.region_weights, np.float64)
    if weights.ndim != 2 or weights.shape[1] != len(REGIONS):
        raise ValueError(f"region weights of {picture.path!r} must be (frames, 3), not {weights.shape}")
    return [
        [region, *(f"{weight:.2f}" for weight in column), f"{column.mean():.2f}"]
        for region, column in zip(REGIONS, weights.T, strict=True)
    ]
