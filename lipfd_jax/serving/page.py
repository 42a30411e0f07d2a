"""Upload page: HTML, style sheet and script, rendered once when the server starts."""

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lipfd_jax.checkpoints import shipped
from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.detection.provenance import list_notes
from lipfd_jax.detection.texts import get_blind_spots
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.pages.rendering import read_template, render_template
from lipfd_jax.serving.limits import Limits

_PACKAGE = "lipfd_jax.serving"


class StaticFile(NamedTuple):
    """A file of the page with its media type."""

    text: str
    media_type: str


@dataclass(frozen=True)
class DetectorDescription:
    """Description of the detector and its limits, for the page."""

    detector: str
    notes: tuple[str, ...]  # sentences on its calibration
    local: bool  # whether only this machine reaches the server
    hears: bool = True  # whether scores depend on the sound


def describe_detector(predictor: Predictor, *, local: bool) -> DetectorDescription:
    """Describes an opened checkpoint or export for the page."""
    metadata, calibration = predictor.metadata, predictor.metadata.calibration
    network = metadata.model
    weights = predictor.fingerprint or "of an export"
    detector = f"{network.encoder} + {network.backbone}, {metadata.origin}, weights {weights}"
    if name := shipped.find_name(predictor.path):
        detector = f"{name}, which ships with lipfd_jax: {detector}"
    calibrated = (_describe_error_rates(calibration),) if calibration else ()
    return DetectorDescription(detector, (*calibrated, *list_notes(metadata)), local, network.hears)


def _describe_error_rates(found: Calibration) -> str:
    return (
        f"Calibrated on {found.data}. At its threshold it called {100 * found.false_positive_rate:.1f} % of "
        f"real videos forged and missed {100 * found.false_negative_rate:.1f} % of forgeries, on "
        f"{found.videos} videos of {found.sources_real} real and {found.sources_fake} forged sources; on "
        "other material it errs more."
    )


def make_files(limits: Limits, description: DetectorDescription) -> dict[str, StaticFile]:
    """Renders the files of the page, by address."""
    html = render_template(
        _PACKAGE,
        "serving.html",
        limits=limits,
        about=description,
        blind_spots=get_blind_spots(description.hears),
    )
    style = read_template(_PACKAGE, "style.css") + read_template(_PACKAGE, "serving.css")
    return {
        "/": StaticFile(str(html), "text/html"),
        "/serving.css": StaticFile(style, "text/css"),
        "/serving.js": StaticFile(read_template(_PACKAGE, "serving.js"), "text/javascript"),
    }


def guess_media_type(name: str) -> str:
    """Returns the media type of a video by its file name; never one that a browser would run or render."""
    guess = mimetypes.types_map.get(Path(name).suffix.lower(), "")
    return guess if guess.startswith("video/") else "video/mp4"
