"""Opens checkpoints of any writer as models, and writes models as checkpoints."""

import contextlib
import dataclasses
import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from flax import nnx

from lipfd_jax.checkpoints.calibration import FILE as CALIBRATION
from lipfd_jax.checkpoints.calibration import REMEDY, Calibration
from lipfd_jax.checkpoints.errors import CheckpointError, first_line, refusal
from lipfd_jax.checkpoints.fingerprints import (
    array_checksums,
    array_name,
    compute_fingerprint,
    find_differences,
)
from lipfd_jax.checkpoints.folders import find_checkpoint, read_metadata
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.orbax_logging import report_one_error
from lipfd_jax.checkpoints.packed import is_packed, read_packed_weights
from lipfd_jax.checkpoints.plain_arrays import has_plain_arrays, read_plain_arrays
from lipfd_jax.models.lipfd import LipFD, abstract_model
from lipfd_jax.storage.errors import find_os_error

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint found on disk; its weights are not read yet."""

    model: LipFD  # with shapes instead of weights
    metadata: Metadata
    path: epath.Path


@dataclasses.dataclass(frozen=True)
class LoadedCheckpoint:
    """A model with its weights, metadata and path."""

    model: LipFD
    metadata: Metadata
    path: epath.Path
    fingerprint: str  # identifies the weights: the same for the same weights, whenever written

    @property
    def calibration(self) -> Calibration | None:
        """Calibration of the scores, if one was fitted."""
        return self.metadata.calibration


def open_model(path: str | os.PathLike, *, step: int | None = None, sharding: Any = None) -> LoadedCheckpoint:
    """Opens a converted or packed checkpoint, one step of a training run, or the best step of a run.

    Args:
      path: a checkpoint, a run's workdir, its folder of checkpoints, or the name of a checkpoint that ships
        with the package, `lipfd:small`.
      step: step of a run; by default the best by validation AUC, or the latest if there was no validation.
      sharding: of the arrays; by default this process's first device.

    Raises:
      CheckpointError: nothing there, not ours, or damaged: an array's checksum differs from the stored one,
        or the calibration is for other weights.
    """
    return read_weights(resolve_checkpoint(path, step=step), sharding)


def resolve_checkpoint(path: str | os.PathLike, *, step: int | None = None) -> CheckpointRef:
    """Finds what `open_model` would open, without reading weights: a program can be compiled meanwhile.

    Raises:
      CheckpointError: nothing there, or not ours.
    """
    path = find_checkpoint(path, step)
    metadata = read_metadata(path)
    return CheckpointRef(abstract_model(metadata.model), metadata, path)


def read_weights(reference: CheckpointRef, sharding: Any = None) -> LoadedCheckpoint:
    """Reads the weights; arguments and errors as for `open_model`. `reference` keeps its shapes."""
    path, metadata = reference.path, reference.metadata
    graph, state = nnx.split(reference.model)
    sharding = sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    loaded, sums = _read(path, metadata, nnx.to_pure_dict(state))
    _compare_checksums(path, metadata, sums)
    fingerprint = compute_fingerprint(sums["model"] | sums.get("ema", {}))
    if metadata.calibration and metadata.calibration.weights != fingerprint:
        raise CheckpointError(f"{path}: {CALIBRATION} was fitted for other weights; {REMEDY}")
    nnx.replace_by_pure_dict(state, _place(loaded.pop("model"), sharding))
    if metadata.ema:
        nnx.replace_by_pure_dict(state, nnx.restore_int_paths(_place(loaded.pop("ema"), sharding)))
    return LoadedCheckpoint(nnx.merge(graph, state), metadata, path, fingerprint)


def _read(
    path: epath.Path, metadata: Metadata, model: Any
) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Returns the parts as trees of NumPy arrays, and their checksums. `model`: the model's tree of
    shapes.
    """
    if is_packed(path):
        arrays, sums = read_packed_weights(path, model)
        return {"model": arrays}, {"model": sums}
    if not metadata.ema and has_plain_arrays(pathlib.Path(path / "model")):
        leaves, structure = jax.tree_util.tree_flatten_with_path(model)
        named = {array_name(place): leaf for place, leaf in leaves}
        with contextlib.suppress(Exception):  # Orbax, which reads them next, reports the damage
            read = read_plain_arrays(pathlib.Path(path / "model"), named)
            tree = jax.tree.unflatten(structure, [read[name][0] for name in named])
            return {"model": tree}, {"model": {name: read[name][1] for name in named}}
    from orbax.checkpoint import v1 as ocp

    wanted = {"model": _in_memory(model)}
    try:
        if metadata.ema:  # averages of the trained parameters, a subset of the model's
            wanted["ema"] = _in_memory(ocp.metadata(path, checkpointable_name="ema").metadata)
        with report_one_error():
            loaded = ocp.load_checkpointables(path, wanted)
    except Exception as error:
        if trouble := find_os_error(error, path):
            raise trouble from error
        raise CheckpointError(
            f"{path}: can't be read ({first_line(error)}); it is damaged or its weights are not those of "
            f"{metadata.model.encoder} + {metadata.model.backbone}"
        ) from error
    return loaded, {name: array_checksums(part) for name, part in loaded.items()}


def with_sums(metadata: Metadata, parts: Mapping[str, Any]) -> Metadata:
    """Returns the metadata with the checksums of these parts of a checkpoint (trees of arrays by name)."""
    return dataclasses.replace(metadata, sums={name: array_checksums(part) for name, part in parts.items()})


def verify_arrays(path: Any, metadata: Metadata, parts: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Compares arrays read from a checkpoint with their stored checksums.

    Takes a second per one to two gigabytes. Logs a warning for older checkpoints without checksums.

    Args:
      path: of the checkpoint, for messages.
      parts: trees of arrays as read, by their names in the checkpoint; any of them.

    Returns:
      The computed checksums, by part and array.

    Raises:
      CheckpointError: arrays differ from those written; names all of them.
    """
    found = {name: array_checksums(part) for name, part in parts.items()}
    _compare_checksums(path, metadata, found)
    return found


def _compare_checksums(path: Any, metadata: Metadata, found: Mapping[str, Mapping[str, str]]) -> None:
    if not metadata.sums:
        logger.warning("%s: written without checksums, so its weights can't be checked for damage", path)
        return
    wrong = [
        f"{name}: {array}"
        for name, sums in found.items()
        for array in find_differences(sums, metadata.sums.get(name, {}))
    ]
    if wrong:
        raise refusal(path, [f"{line} is damaged, its values are not those written" for line in wrong])


def save_model(path: str | pathlib.Path, weights: dict[str, Any], metadata: Metadata) -> None:
    """Writes a self-contained checkpoint of a model alone.

    Args:
      path: the checkpoint's folder; must not exist.
      weights: pure dict of arrays in the model's structure (parameters and batch statistics).
      metadata: of the weights; their checksums are added.

    Raises:
      OSError: the disk is full, or the folder is not writable; a partial one may remain next to it.
    """
    from orbax.checkpoint import v1 as ocp  # a fifth of a second that reading plain arrays does not need

    metadata = with_sums(metadata, {"model": weights})
    context = ocp.Context()
    saving, memory = context.array.saving, context.memory
    saving.use_ocdbt = saving.use_zarr3 = False
    saving.use_compression = False  # would save a twelfth of the size and double the time to open
    # Without these Orbax holds the tree several times over.
    memory.write_concurrent_bytes = memory.transfer_concurrent_bytes = 200 * 2**20
    memory.deepcopy_host_arrays = False
    with context:
        try:
            with report_one_error():
                ocp.save_checkpointables(path, {"model": weights}, custom_metadata=metadata.to_json())
        except Exception as error:
            if trouble := find_os_error(error, path):
                raise trouble from error
            raise


def _in_memory(tree: Any) -> Any:
    """Makes Orbax read NumPy arrays, in half the time of sharded JAX arrays."""
    return jax.tree.map(lambda x: np.empty(x.shape, x.dtype), tree)  # used for shape and dtype only


def _place(tree: Any, sharding: Any) -> Any:
    """Moves the tree's arrays to the devices; each is released once it is there."""
    leaves, structure = jax.tree.flatten(tree)
    del tree
    for place, array in enumerate(leaves):
        leaves[place] = jax.make_array_from_callback(array.shape, sharding, array.__getitem__)
    return jax.tree.unflatten(structure, leaves)
