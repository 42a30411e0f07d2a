"""Compatibility of a run with a checkpoint: same arrays, same records, and the settings that changed."""

from collections.abc import Mapping
from typing import Any

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.training.config import Experiment


def has_same_structure(metadata: Metadata, experiment: Experiment) -> bool:
    """Returns whether a checkpoint holds the arrays of this experiment."""
    here, there = experiment.optimizer, metadata.experiment["optimizer"]
    return (
        metadata.model == experiment.model
        and metadata.ema == bool(here.ema)
        and there["trained_blocks"] == here.trained_blocks
        and there.get("frozen_blocks", 0) == here.frozen_blocks
    )


def describe_changed_records(metadata: Metadata, records: Mapping[str, Mapping[str, str]]) -> str:
    """Describes the uses ("training", "validation") whose records differ from the checkpoint's; "" for none.

    Args:
      records: `sum` and `words` of each fingerprint, by use. A use that one side lacks is not compared.
    """
    return "; ".join(
        f"{use} records were {_describe_records(metadata.records[use])}, "
        f"now they are {_describe_records(now)}"
        for use, now in records.items()
        if use in metadata.records and metadata.records[use]["sum"] != now["sum"]
    )


def refuse_other_teacher(metadata: Metadata, teacher: str, path: Any) -> None:
    """Raises ValueError if a run resumes with a teacher of other weights; with or without one is a setting.

    Args:
      teacher: fingerprint of the weights now; "" without a teacher.
      path: of the checkpoint, for the message.
    """
    if teacher and metadata.teacher and teacher != metadata.teacher:
        raise ValueError(
            f"{path}: its teacher had the weights {metadata.teacher}, now they are {teacher}; give the old "
            "teacher, or use another workdir"
        )


def list_changed_settings(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Lists the settings of an experiment that differ, with both values, the model's left out.

    A resumed run has the same model, and older checkpoints spell it differently.
    """
    found = []
    for name in sorted((before.keys() | now.keys()) - {"model"}):
        old, new = (list(v) if isinstance(v, tuple) else v for v in (before.get(name), now.get(name)))
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += list_changed_settings(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} {old} -> {new}")
    return found


def _describe_records(fingerprint: Mapping[str, str]) -> str:
    return f"{fingerprint['words']} (sum {fingerprint['sum']})"
