"""Metadata of a checkpoint: architecture, input and window convention, and provenance."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.fingerprints import json_checksum
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.version import __version__
from lipfd_jax.vocabulary import WINDOW_CONVENTIONS, WindowConvention

FORMAT = 1
_JSON_KEYS = {"window_convention": "windows"}  # field: its key in the file, where that is another


@dataclasses.dataclass(frozen=True)
class Metadata:
    """All that is needed to use a checkpoint's weights; stored inside it as JSON."""

    model: ModelConfig  # architecture and input convention
    window_convention: WindowConvention  # how training windows were cut; stored under the key "windows"
    step: int = 0  # optimizer steps taken
    samples: int = 0  # training samples consumed by all processes: the position in the data
    processes: int = (
        1  # processes that read the data; with another number the position follows from `samples`
    )
    ema: bool = False  # holds an averaged copy of the trained parameters, which evaluation uses
    origin: str = ""  # description of its origin
    synthetic: bool = False  # trained on drawn people, so every verdict says that it knows only those
    training_data: str = ""  # what it learned from, for readers: "450 clips of 160 people"
    experiment: dict[str, Any] = dataclasses.field(default_factory=dict)  # settings, if trained here
    metrics: dict[str, float] = dataclasses.field(
        default_factory=dict
    )  # metrics of the validation split at this step
    sums: dict[str, dict[str, str]] = dataclasses.field(
        default_factory=dict, repr=False
    )  # checksums, by part and array
    records: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)  # fingerprints, by use
    teacher: str = ""  # fingerprint of the weights whose logits were learned; "" for none
    calibration: Calibration | None = None  # stored in a file of its own

    def to_json(self) -> dict[str, Any]:
        """Returns plain dicts, strings and numbers with a checksum; without the calibration."""
        values = dataclasses.asdict(dataclasses.replace(self, calibration=None))
        del values["calibration"]
        values = {_JSON_KEYS.get(name, name): value for name, value in values.items()}
        values = {"format": FORMAT, "project": __version__, **values}
        return {**values, "sum": json_checksum(values)}

    @classmethod
    def from_json(cls, values: dict[str, Any] | None, path: Any = "checkpoint") -> "Metadata":
        """Reads the output of `to_json`.

        Raises:
          CheckpointError: it is missing, of another format, damaged or incomplete; names `path`.
        """
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise CheckpointError(
                f"{path}: a checkpoint, but not one of lipfd_jax (its metadata is missing or not of "
                f"format {FORMAT}); make one with lipfd train or lipfd convert"
            )
        if ("sum" in values or "sums" in values) and values.get("sum") != _compute_checksum(values):
            raise CheckpointError(f"{path}: its metadata is damaged (its checksum does not match)")
        return cls._parse(values, path)

    @classmethod
    def _parse(cls, values: Mapping[str, Any], path: Any) -> "Metadata":
        missing = [name for name in ("model", "windows") if name not in values]
        if missing:
            raise CheckpointError(f"{path}: its metadata has no {' and no '.join(missing)}; it can't be used")
        if values["windows"] not in WINDOW_CONVENTIONS:
            raise CheckpointError(
                f"{path}: its metadata has windows={values['windows']!r}, "
                f"expected {' or '.join(WINDOW_CONVENTIONS)}"
            )
        keys = {field.name: _JSON_KEYS.get(field.name, field.name) for field in dataclasses.fields(cls)}
        fields = {name: values[key] for name, key in keys.items() if key in values}
        try:
            return cls(**{**fields, "model": ModelConfig.from_dict(values["model"])})
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: its metadata can't be used ({error})") from error


def _compute_checksum(values: Mapping[str, Any]) -> str:
    return json_checksum({name: value for name, value in values.items() if name != "sum"})
