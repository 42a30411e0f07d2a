"""Provenance of a result: files, checkpoint, versions, and a fingerprint of all that decides it."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lipfd_jax.checkpoints import shipped
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.detection.analysis import VideoAnalysis
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.result import SCHEMA, FileFacts
from lipfd_jax.detection.texts import DRAWN_PEOPLE, LEARNED_FROM, PICTURES_ONLY, UNCALIBRATED
from lipfd_jax.faces.finders import FINDERS
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.folder import find_irregularity
from lipfd_jax.preprocessing.containers import describe_stream, open_container
from lipfd_jax.storage.checksums import hash_file, hash_json
from lipfd_jax.version import __version__

_DIGITS = 32  # hexadecimal, of a result's fingerprint
_PACKAGES = (
    "jax",
    "numpy",
    "av",
    "opencv-python-headless",
    "scipy",
    *(finder.package for finder in FINDERS.values()),
    "webrtcvad-wheels",
)


def hash_inputs(video: Path, sound: Path | None) -> dict[str, str]:
    """SHA-256 of the video and of a separate sound file. Raises ClipError for a missing or unreadable one."""
    checksums = {}
    for name, path in (("video", video), ("sound", sound)):
        if path is None:
            continue
        if problem := find_irregularity(path):
            raise ClipError(f"{path}: {problem}")
        try:
            checksums[name] = hash_file(path)
        except OSError as error:
            raise ClipError(f"{path}: can't be read ({error.strerror})") from error
    return checksums


def compute_fingerprint(checksums: Mapping[str, str], model: Predictor, settings: DetectionSettings) -> str:
    """Fingerprint of a result: equal for the same files, weights, calibration, precision and settings."""
    calibration = model.metadata.calibration
    stated = {
        "calibration": calibration and calibration.to_json()["sum"],
        "schema": SCHEMA,
        "version": __version__,
        "precision": model.metadata.model.dtype,
    }
    return hash_json([dict(checksums), model.fingerprint, {**settings.to_json(), **stated}], _DIGITS)


def describe_file(
    video: Path, sound: Path | None, analysis: VideoAnalysis, checksums: Mapping[str, str]
) -> FileFacts:
    """Size, length and streams of the video, and of a separate sound file. Raises ClipError."""
    scan, track = analysis.scan, analysis.sound_choice
    video_facts, sound_facts = scan.streams["video"], scan.streams.get("audio")
    if scan.clock.video_choice:
        video_facts = video_facts | scan.clock.video_choice.to_json()
    if sound is not None and track is not None:
        with open_container(sound) as container:
            sound_facts = {"file": sound.name, "sha256": checksums["sound"]}
            sound_facts |= describe_stream(container.streams[track.index])
    if sound_facts and track is not None:
        sound_facts = sound_facts | track.to_json()
    return FileFacts(
        name=video.name,
        sha256=checksums["video"],
        bytes=video.stat().st_size,
        seconds=round(scan.end - float(scan.times[0]), 3),
        frames=len(scan.times),
        width=scan.width,
        height=scan.height,
        fps=round(scan.fps, 3),
        container=scan.container,
        video=video_facts,
        sound=sound_facts,
    )


def describe_checkpoint(model: Predictor) -> dict[str, Any]:
    """The checkpoint's path, fingerprint, architecture, conventions and calibration."""
    metadata = model.metadata
    return {
        "name": shipped.find_name(model.path),  # "" unless it ships with the package
        "path": model.path,
        "fingerprint": model.fingerprint,
        "origin": metadata.origin,
        "step": metadata.step,
        "training_data": metadata.training_data,
        "encoder": metadata.model.encoder,
        "backbone": metadata.model.backbone,
        "inputs": metadata.model.inputs.name,
        "windows": metadata.window_convention,
        "precision": metadata.model.dtype,  # number format of the computation
        "calibration": metadata.calibration and dataclasses.asdict(metadata.calibration),
    }


def list_notes(metadata: Metadata) -> tuple[str, ...]:
    """Limits that the checkpoint sets to every outcome, in words."""
    notes = [
        (not metadata.calibration, UNCALIBRATED),
        (metadata.synthetic, DRAWN_PEOPLE),
        (not metadata.model.hears, PICTURES_ONLY),
        (metadata.training_data, LEARNED_FROM.format(metadata.training_data)),
    ]
    return tuple(note for applies, note in notes if applies)


def list_versions() -> dict[str, str]:
    """Versions of the project, of Python, and of the installed libraries that affect numbers."""
    found = {"lipfd-jax": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
