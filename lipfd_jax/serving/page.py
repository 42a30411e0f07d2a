"""The page that takes videos and shows how far they are: three files that never change while it runs."""

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lipfd_jax.detection.detect import Model
from lipfd_jax.detection.texts import BLIND_SPOTS, UNCALIBRATED
from lipfd_jax.pages.rendering import read_template, render
from lipfd_jax.serving.limits import Limits

_PACKAGE = "lipfd_jax.serving"


class Made(NamedTuple):
    """A file as it is served."""

    text: str
    media_type: str


@dataclass(frozen=True)
class About:
    """What the page says of the detector and of where it runs."""

    detector: str
    notes: tuple[str, ...]  # what bounds its outcomes
    local: bool  # only programs and browsers on this machine reach the server


def about(model: Model, *, local: bool) -> About:
    """What is to be said of an opened checkpoint."""
    metadata, calibration = model.metadata, model.metadata.calibration
    network = metadata.model
    weights = model.fingerprint or "of an export"
    detector = f"{network.encoder} + {network.backbone}, {metadata.origin}, weights {weights}"
    notes = (f"Calibrated on {calibration.data}.",) if calibration else (UNCALIBRATED,)
    return About(detector, notes, local)


def files(limits: Limits, said: About) -> dict[str, Made]:
    """The page's files by their addresses."""
    html = render(_PACKAGE, "serving.html", limits=limits, about=said, blind_spots=BLIND_SPOTS)
    style = read_template(_PACKAGE, "style.css") + read_template(_PACKAGE, "serving.css")
    return {
        "/": Made(str(html), "text/html"),
        "/serving.css": Made(style, "text/css"),
        "/serving.js": Made(read_template(_PACKAGE, "serving.js"), "text/javascript"),
    }


def media_type(name: str) -> str:
    """The type to serve a video as, by its name's ending; never one that a browser would run or render."""
    guess = mimetypes.types_map.get(Path(name).suffix.lower(), "")
    return guess if guess.startswith("video/") else "video/mp4"
