"""Example windows of a report: which ones to show, and how they look on the page."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.evaluation.metrics import THRESHOLD
from lipfd_jax.evaluation.page import table_html
from lipfd_jax.evaluation.scores import Scores

_WIDTH = 1250  # pixels of an embedded picture: half a composite, about 150 kB
_QUALITY = 82
_REGIONS = ("head", "face", "lips")
_GROUPS = {
    (1, True): "Fakes called fake: right, surest first",
    (0, True): "Real called real: right, surest first",
    (1, False): "Fakes called real: missed, worst first",
    (0, False): "Real called fake: false alarms, worst first",
}


@dataclass(frozen=True, eq=False)
class ReportPicture:
    """One window to show."""

    image: np.ndarray  # (height, width, 3) uint8 RGB: the composite
    path: str  # as in the scores
    label: int  # 0 real, 1 fake
    score: float
    region_weights: np.ndarray | None = None  # (5, 3): per frame the weights of head, face and lips


def example_windows(scores: Scores, *, count: int = 2) -> np.ndarray:
    """Positions in `scores` of the windows worth showing, int64.

    Of real and of fake windows the `count` most confidently right and the `count` most confidently wrong
    ones, each from another video where there are enough.
    """
    chosen: list[int] = []
    for label, right in _GROUPS:
        called = (scores.score >= THRESHOLD).astype(np.int64)
        group = np.flatnonzero((scores.label == label) & ((called == label) == right))
        group = group[np.argsort(-np.abs(scores.score[group] - THRESHOLD), kind="stable")]
        firsts = np.sort(np.unique(scores.video[group], return_index=True)[1])
        others = np.setdiff1d(np.arange(len(group)), firsts)
        chosen += group[np.concatenate([firsts, others])[:count]].tolist()
    return np.array(chosen, np.int64)


def examples_html(pictures: Sequence[ReportPicture]) -> str:
    """The pictures in four groups (real or fake, right or wrong), the most confident first."""
    parts = []
    for (label, right), title in _GROUPS.items():
        group = [p for p in pictures if p.label == label and ((p.score >= THRESHOLD) == label) == right]
        if group:
            group.sort(key=lambda picture: -abs(picture.score - THRESHOLD))
            parts += [f"<h3>{title}</h3>", *map(_figure, group)]
    return "\n".join(parts)


def _figure(picture: ReportPicture) -> str:
    truth, called = ("real", "fake")[picture.label], ("real", "fake")[picture.score >= THRESHOLD]
    path = html.escape(str(picture.path))
    verdict = f"called {called}" if truth == called else f'<span class="wrong">called {called}</span>'
    caption = f'{path}: <span class="{truth}">{truth}</span>, score {picture.score:.4f}, {verdict}'
    return (
        f'<figure class="picture"><div class="scroll"><img alt="Composite of {path}" loading="lazy" '
        f'src="data:image/jpeg;base64,{_jpeg(picture)}"></div>'
        f"<figcaption>{caption}{_weights(picture)}</figcaption></figure>"
    )


def _weights(picture: ReportPicture) -> str:
    if picture.region_weights is None:
        return ""
    weights = np.asarray(picture.region_weights, np.float64)
    if weights.ndim != 2 or weights.shape[1] != len(_REGIONS):
        raise ValueError(f"region weights of {picture.path!r} must be (frames, 3), not {weights.shape}")
    rows = [
        [region, *(f"{weight:.2f}" for weight in column), f"<b>{column.mean():.2f}</b>"]
        for region, column in zip(_REGIONS, weights.T, strict=True)
    ]
    frames = map(str, range(1, len(weights) + 1))
    return table_html(["frame", *frames, "mean"], rows, kind="weights")


def _jpeg(picture: ReportPicture) -> str:
    image = np.asarray(picture.image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"picture of {picture.path!r} must be (height, width, 3) uint8 RGB, "
            f"not {image.shape} {image.dtype}"
        )
    height, width = image.shape[:2]
    if width > _WIDTH:
        size = (_WIDTH, max(1, round(height * _WIDTH / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return base64.b64encode(encoded.tobytes()).decode()
