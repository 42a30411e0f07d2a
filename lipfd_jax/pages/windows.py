"""An example window as reports draw it: composite, saliency and region weights."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.pages.images import encode_data_uri, overlay_heat
from lipfd_jax.vocabulary import LABELS, REGIONS

_FULL = 99.0  # percentile of a saliency map's values that is drawn in the full colour


@dataclass(frozen=True, eq=False)
class ExampleWindow:
    """One window to show."""

    image: np.ndarray  # (height, width, 3) uint8 RGB: the composite
    path: str  # as in the scores
    label: int  # 0 real, 1 fake
    score: float
    region_weights: np.ndarray | None = None  # (5, 3): weights of head, face and lip in each frame
    saliency: np.ndarray | None = None  # (rows, columns) float: models.saliency's map of the composite


@dataclass(frozen=True)
class ExampleView:
    """Template values of a window."""

    path: str
    truth: str  # real or fake
    called: str
    score: float
    image: str  # a data: URI
    overlay: str  # the same image under its saliency; "" without a map
    mel_share: float | None  # share of the saliency on the mel half
    weights: list[list[str]]  # rows of a table: region, its weight in each frame, mean


def build_example_view(example: ExampleWindow, *, threshold: float = 0.5) -> ExampleView:
    """Prepares image, saliency and weights of a window for a page.

    Raises ValueError, naming the window, for an image, weights or a map of a wrong shape.
    """
    try:
        image = encode_data_uri(example.image)
    except ValueError as error:
        raise ValueError(f"image of {example.path!r} {error}") from None
    overlay, mel_share = _draw_overlay(example)
    return ExampleView(
        path=str(example.path),
        truth=LABELS[example.label],
        called=LABELS[int(example.score >= threshold)],
        score=example.score,
        image=image,
        overlay=overlay,
        mel_share=mel_share,
        weights=_weight_rows(example),
    )


def _draw_overlay(example: ExampleWindow) -> tuple[str, float | None]:
    """Overlay and the mel's share of the saliency.

    Mel and frames have a scale each: frames also count through the crops, and would hide the mel.
    """
    if example.saliency is None:
        return "", None
    heat = np.asarray(example.saliency, np.float64)
    if heat.ndim != 2 or not np.isfinite(heat).all():
        raise ValueError(f"saliency of {example.path!r} must be a map (rows, columns) of finite numbers")
    middle = len(heat) // 2
    halves = (heat[:middle], heat[middle:])
    scaled = np.concatenate([half / (np.percentile(half, _FULL) or 1) for half in halves])
    total = heat.sum()
    share = float(heat[:middle].sum() / total) if total else None
    return encode_data_uri(overlay_heat(example.image, scaled)), share


def _weight_rows(example: ExampleWindow) -> list[list[str]]:
    if example.region_weights is None:
        return []
    weights = np.asarray(example.region_weights, np.float64)
    if weights.ndim != 2 or weights.shape[1] != len(REGIONS):
        raise ValueError(f"region weights of {example.path!r} must be (frames, 3), not {weights.shape}")
    return [
        [region, *(f"{weight:.2f}" for weight in column), f"{column.mean():.2f}"]
        for region, column in zip(REGIONS, weights.T, strict=True)
    ]
