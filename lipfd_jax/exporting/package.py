"""Folder of an export: its program, its weights, and export.json, which describes them."""

import dataclasses
import datetime
import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.checkpoints.errors import CheckpointError, refusal
from lipfd_jax.checkpoints.fingerprints import json_checksum
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.weight_files import read_json
from lipfd_jax.storage import files
from lipfd_jax.storage.checksums import hash_file

FILE = "export.json"
VERSION = 1
FORMATS = {  # format: its program's file, and the engines that run it, the default first
    "onnx": ("model.onnx", ("onnxruntime", "openvino")),
    "stablehlo": ("program.stablehlo", ("jax",)),
    "int8": ("model.xml", ("openvino",)),
}
_LIBRARIES = ("lipfd-jax", "jax", "jaxlib", "onnx", "openvino", "nncf")


@dataclasses.dataclass(frozen=True)
class ExportDescription:
    """Provenance and input of an export."""

    format: str  # a name in FORMATS
    source: str  # "composites" or "prepared"
    metadata: Metadata  # the checkpoint's, with its calibration
    fingerprint: str  # identifies its weights
    made: str  # YYYY-MM-DD
    versions: Mapping[str, str]  # library -> version at export
    quantised_on: str | None = None  # records on which the ranges of int8 values were calibrated

    @property
    def calibration(self) -> Calibration | None:
        """Calibration of the model's scores, if one was fitted."""
        return self.metadata.calibration


def make_description(
    format: str, source: str, metadata: Metadata, fingerprint: str, quantised_on: str | None = None
) -> ExportDescription:
    """Describes an export made today with the installed libraries."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # run from a checkout, or not required
            continue
    today = datetime.date.today().isoformat()
    return ExportDescription(format, source, metadata, fingerprint, today, versions, quantised_on)


def to_json(description: ExportDescription) -> dict[str, Any]:
    """Returns plain values, as stored next to a program and inside it."""
    values = {field.name: getattr(description, field.name) for field in dataclasses.fields(description)}
    metadata, calibration = description.metadata, description.calibration
    return {
        "version": VERSION,
        **values,
        "metadata": dataclasses.replace(metadata, sums={}).to_json(),
        "calibration": calibration and calibration.to_json(),
        "versions": dict(description.versions),
    }


def write_description(folder: Path, description: ExportDescription) -> None:
    """Writes export.json for the files in the folder, with their checksums."""
    sums = {path.name: hash_file(path) for path in sorted(folder.iterdir())}
    values = {**to_json(description), "files": sums}
    files.write_json(folder / FILE, {**values, "sum": json_checksum(values)})


def is_export(path: str | os.PathLike) -> bool:
    """Whether a path is the folder of an export."""
    return "://" not in str(path) and (Path(path).expanduser() / FILE).is_file()


def read_description(folder: Path) -> ExportDescription:
    """Reads the description of an export after verifying its files.

    Raises:
      CheckpointError: it is damaged, of another version, or files are missing; names all of them.
    """
    values = read_json(folder / FILE)
    fields = {name: value for name, value in values.items() if name != "sum"}
    if values.get("version") != VERSION:
        raise refusal(folder / FILE, f"it is not of version {VERSION}; export the checkpoint again")
    if values.get("sum") != json_checksum(fields):
        raise refusal(folder / FILE, "it is damaged or was edited; export the checkpoint again")
    problems = [
        f"{name} is {'damaged' if (folder / name).is_file() else 'missing'}"
        for name, expected in values["files"].items()
        if not (folder / name).is_file() or hash_file(folder / name) != expected
    ]
    if problems:
        raise refusal(folder, problems)
    return _parse_description(fields, folder)


def _parse_description(values: Mapping[str, Any], folder: Path) -> ExportDescription:
    if values["format"] not in FORMATS:
        raise CheckpointError(f"{folder}: format {values['format']!r}, expected one of {', '.join(FORMATS)}")
    metadata = Metadata.from_json(values["metadata"], folder / FILE)
    if values["calibration"]:
        calibration = Calibration.from_json(values["calibration"], folder / FILE)
        metadata = dataclasses.replace(metadata, calibration=calibration)
    names = [field.name for field in dataclasses.fields(ExportDescription)]
    fields: dict[str, Any] = {**{name: values.get(name) for name in names}, "metadata": metadata}
    return ExportDescription(**fields)
