"""Whether a run may go on from a checkpoint: the same arrays, the same records, and what else has changed."""

from collections.abc import Mapping
from typing import Any

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.training.config import Experiment


def same_structure(metadata: Metadata, experiment: Experiment) -> bool:
    """Says whether a checkpoint's arrays are those of this experiment."""
    here, there = experiment.optimizer, metadata.experiment["optimizer"]
    return (
        metadata.model == experiment.model
        and metadata.ema == bool(here.ema)
        and there["trained_blocks"] == here.trained_blocks
    )


def changed_records(metadata: Metadata, records: Mapping[str, Mapping[str, str]]) -> str:
    """Names the uses ("training", "validation") whose records are not the checkpoint's; "" for none.

    Args:
      records: `sum` and `words` of each identity, by use. What one side does not know is not compared.
    """
    return "; ".join(
        f"{use} records were {_described(metadata.records[use])}, now they are {_described(now)}"
        for use, now in records.items()
        if use in metadata.records and metadata.records[use]["sum"] != now["sum"]
    )


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names the settings of an experiment that differ, with both values; but for the model's.

    The model is the same where a run goes on, and older checkpoints spell it otherwise.
    """
    found = []
    for name in sorted((before.keys() | now.keys()) - {"model"}):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += changed_settings(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} {old} -> {new}")
    return found


def _described(identity: Mapping[str, str]) -> str:
    return f"{identity['words']} (sum {identity['sum']})"
