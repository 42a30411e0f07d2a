"""Finds the folder of a checkpoint, one by itself or a step of a training run, and reads its metadata."""

import dataclasses
import json
import logging
import os
import pathlib

from etils import epath

from lipfd_jax.checkpoints.calibration import read_calibration
from lipfd_jax.checkpoints.errors import CheckpointError, first_line
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.packed import is_packed, read_packed_metadata
from lipfd_jax.checkpoints.shipped import find_shipped, is_shipped_name

logger = logging.getLogger(__name__)

FOLDER = "checkpoints"  # inside a training run's workdir
_METADATA = "_CHECKPOINT_METADATA"  # Orbax's file in every finished checkpoint
# On the validation split, or the mean over those of several sets; the best checkpoint is the highest one.
METRIC = "auc"


def read_metadata(path: str | pathlib.Path) -> Metadata:
    """Reads the metadata and calibration of the checkpoint at exactly this path.

    Raises:
      CheckpointError: not a checkpoint of ours, or damaged.
    """
    return dataclasses.replace(_stored_metadata(path), calibration=read_calibration(path))


def find_checkpoint(path: str | os.PathLike, step: int | None = None) -> epath.Path:
    """Returns the path of one checkpoint: `path` itself, or the given or best step of a run's folder.

    A name of a shipped checkpoint, `lipfd:small`, is that, whatever the current folder holds. Raises
    CheckpointError if there is none.
    """
    path = find_shipped(str(path)) if is_shipped_name(path) else path
    path = epath.Path(path).expanduser()
    path = path if "://" in str(path) else epath.Path(pathlib.Path(path).absolute())
    if not path.exists():
        raise CheckpointError(f"{path}: no such folder; expected a checkpoint or a training run's workdir")
    if not path.is_dir():
        raise CheckpointError(
            f"{path}: is a file; expected the folder of a checkpoint or a training run's workdir "
            "(lipfd convert makes a checkpoint of a .pth)"
        )
    if _is_finished(path):
        if step is not None and path.name != str(step):
            raise CheckpointError(f"{path}: one checkpoint, not a run to choose step {step} from")
        return path
    run = path / FOLDER if (path / FOLDER).is_dir() else path
    found = {int(p.name): p for p in run.iterdir() if p.name.isdigit() and _is_finished(p)}
    if not found:
        raise CheckpointError(f"{path}: no finished checkpoint inside{_suggest_run(path)}")
    if step is None:
        step = max(found, key=lambda s: (_read_metrics(found[s]).get(METRIC, -1.0), s))
    if step not in found:
        raise CheckpointError(f"{path}: no checkpoint of step {step}; there are {sorted(found)}")
    return run / str(step)


def _suggest_run(path: epath.Path) -> str:
    """Names a folder inside that is a run or a checkpoint, if there is one."""
    inside = (p for p in path.iterdir() if p.is_dir() and ((p / FOLDER).is_dir() or _is_finished(p)))
    found = next(inside, None)
    return "" if found is None else f"; did you mean {found}?"


def is_readable(path: epath.Path) -> bool:
    """Whether the small files that Orbax reads of every checkpoint when it opens a run are intact."""
    try:
        for file in (path / _METADATA, path / "metrics" / "metrics"):
            if file.exists():
                json.loads(file.read_text())
    except ValueError:
        return False
    return _is_finished(path)


def _stored_metadata(path: str | pathlib.Path) -> Metadata:
    if is_packed(path):
        return Metadata.from_json(read_packed_metadata(path), path)
    try:
        values = json.loads((epath.Path(path) / _METADATA).read_text())["custom_metadata"]
    except Exception as error:
        raise CheckpointError(f"{path}: not a readable checkpoint ({first_line(error)})") from error
    return Metadata.from_json(values, path)


def _is_finished(path: epath.Path) -> bool:
    # Orbax's own test accepts any folder of folders.
    return (path / _METADATA).exists() or is_packed(path)


def _read_metrics(path: epath.Path) -> dict[str, float]:
    """Returns a step's validation metrics; none for a damaged checkpoint, which then is never the best."""
    try:
        metadata = _stored_metadata(path)
        file = path / "metrics" / "metrics"  # Orbax's own copy, and the only one in older checkpoints
        return metadata.metrics or (json.loads(file.read_text()) if file.exists() else {})
    except ValueError as error:
        logger.warning("skipping a damaged checkpoint: %s", error)
        return {}
