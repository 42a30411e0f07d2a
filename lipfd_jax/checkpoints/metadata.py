"""What a checkpoint says about itself: architecture, input convention, windows, and where it comes from."""

import dataclasses
from typing import Any

import lipfd_jax
from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.models.lipfd import ModelConfig

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Everything needed to use a checkpoint's weights rightly; stored inside it as JSON."""

    model: ModelConfig  # architecture and input convention
    windows: str  # how the windows it was trained on were cut: "released" or "paper"
    step: int = 0  # optimizer steps taken
    samples: int = 0  # training samples consumed, over all processes: the position in the data
    processes: int = 1  # processes that read the data; another number restores the position from `samples`
    ema: bool = False  # an averaged copy of the trained parameters is inside and is what evaluation uses
    origin: str = ""  # in words: what made it
    experiment: dict[str, Any] = dataclasses.field(default_factory=dict)  # training settings, if trained here
    calibration: Calibration | None = None  # what scores mean in probability; a file of its own beside it

    def to_json(self) -> dict[str, Any]:
        """Returns plain dicts, strings and numbers, without the calibration."""
        values = dataclasses.asdict(dataclasses.replace(self, calibration=None))
        del values["calibration"]
        return {"format": FORMAT, "project": lipfd_jax.__version__, **values}

    @classmethod
    def from_json(cls, values: dict[str, Any] | None, path: Any = "checkpoint") -> "Metadata":
        """Reads what `to_json` wrote; CheckpointError where it is missing or of another format."""
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise CheckpointError(
                f"{path}: an Orbax checkpoint, but not one of lipfd_jax (its metadata is missing or not of "
                f"format {FORMAT}); make one with train.py or python -m lipfd_jax.convert"
            )
        known = {field.name for field in dataclasses.fields(cls)}
        fields = {name: value for name, value in values.items() if name in known}
        return cls(**{**fields, "model": ModelConfig.from_dict(values["model"])})
