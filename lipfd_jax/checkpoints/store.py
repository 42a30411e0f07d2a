"""Opens a checkpoint as a ready model, whoever wrote it, and writes a model as a checkpoint."""

import dataclasses
import hashlib
import json
import pathlib
from typing import Any

import jax
from etils import epath
from flax import nnx
from orbax.checkpoint import v1 as ocp

from lipfd_jax.checkpoints.calibration import Calibration, read_calibration
from lipfd_jax.checkpoints.metadata import CheckpointError, Metadata
from lipfd_jax.models.lipfd import LipFD, ModelConfig

FOLDER = "checkpoints"  # inside a training run's workdir
_METADATA = "_CHECKPOINT_METADATA"  # Orbax's file in every finished checkpoint; holds when it was written
METRIC = "auc"  # of the validation split; the best checkpoint is the one with the highest


@dataclasses.dataclass(frozen=True)
class Opened:
    """A model with its weights, what its checkpoint says about it, and where that lies."""

    model: LipFD
    metadata: Metadata
    path: epath.Path

    @property
    def calibration(self) -> Calibration | None:
        """What the model's scores mean in probability, where that was fitted."""
        return self.metadata.calibration

    @property
    def fingerprint(self) -> str:
        """A short sum that differs where a checkpoint was written again under the same name."""
        return hashlib.sha256((self.path / _METADATA).read_bytes()).hexdigest()[:16]


def abstract_model(config: ModelConfig) -> LipFD:
    """Returns the model with shapes and types in place of arrays."""
    return nnx.eval_shape(lambda: LipFD(config, rngs=nnx.Rngs(0)))


def open_model(path: str | pathlib.Path, *, step: int | None = None, sharding: Any = None) -> Opened:
    """Opens a converted checkpoint, one step of a training run, or the best step of a run.

    Args:
      path: a checkpoint, a run's workdir, or its folder of checkpoints.
      step: which step of a run; by default the best by validation AUC, without validation the latest.
      sharding: where the arrays go; by default this process's first device.

    Raises:
      CheckpointError: nothing there, not ours, or damaged.
    """
    path = find_checkpoint(path, step)
    metadata = read_metadata(path)
    model = abstract_model(metadata.model)
    state = nnx.state(model)
    sharding = sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    wanted = {"model": _abstract(nnx.to_pure_dict(state), sharding)}
    try:
        if metadata.ema:  # of what was trained, a part of the model
            wanted["ema"] = _abstract(ocp.metadata(path, checkpointable_name="ema").metadata, sharding)
        loaded = ocp.load_checkpointables(path, wanted)
    except Exception as error:
        raise CheckpointError(
            f"{path}: can't be read ({_first_line(error)}); it is damaged or its weights are not those of "
            f"{metadata.model.encoder} + {metadata.model.backbone}"
        ) from error
    nnx.replace_by_pure_dict(state, loaded["model"])
    if metadata.ema:
        nnx.replace_by_pure_dict(state, nnx.restore_int_paths(loaded["ema"]))
    nnx.update(model, state)
    return Opened(model, metadata, path)


def read_metadata(path: str | pathlib.Path) -> Metadata:
    """Reads what the checkpoint at exactly this path says about itself, and its calibration.

    Raises:
      CheckpointError: not a checkpoint of ours, or damaged.
    """
    try:
        values = ocp.metadata(path).custom_metadata
    except Exception as error:
        raise CheckpointError(f"{path}: not a readable checkpoint ({_first_line(error)})") from error
    return dataclasses.replace(Metadata.from_json(values, path), calibration=read_calibration(path))


def find_checkpoint(path: str | pathlib.Path, step: int | None = None) -> epath.Path:
    """Returns the path of one checkpoint: `path` itself, or the step or best step of a run's folder.

    Raises CheckpointError where there is none.
    """
    path = epath.Path(path).expanduser()
    path = path if "://" in str(path) else epath.Path(pathlib.Path(path).absolute())
    if not path.exists():
        raise CheckpointError(f"{path}: no such folder; expected a checkpoint or a training run's workdir")
    if _finished(path):
        if step is not None and path.name != str(step):
            raise CheckpointError(f"{path}: one checkpoint, not a run to choose step {step} from")
        return path
    run = path / FOLDER if (path / FOLDER).is_dir() else path
    found = {int(p.name): _metrics(p) for p in run.iterdir() if p.name.isdigit() and _finished(p)}
    if not found:
        raise CheckpointError(f"{path}: no finished checkpoint inside")
    if step is None:
        step = max(found, key=lambda s: (found[s].get(METRIC, -1.0), s))
    if step not in found:
        raise CheckpointError(f"{path}: no checkpoint of step {step}; there are {sorted(found)}")
    return run / str(step)


def save_model(path: str | pathlib.Path, weights: dict[str, Any], metadata: Metadata) -> None:
    """Writes one self-contained checkpoint holding only a model.

    Args:
      path: the checkpoint's folder; must not exist.
      weights: pure dict of arrays in the model's structure (parameters and batch statistics).
    """
    with ocp.Context(
        array_options=ocp.options.ArrayOptions(
            saving=ocp.options.ArrayOptions.Saving(use_ocdbt=False, use_zarr3=False)
        ),
        memory_options=ocp.options.MemoryOptions(
            write_concurrent_bytes=200 * 2**20,  # without these Orbax holds the tree several times over
            transfer_concurrent_bytes=200 * 2**20,
            deepcopy_host_arrays=False,
        ),
    ):
        ocp.save_checkpointables(path, {"model": weights}, custom_metadata=metadata.to_json())


def readable(path: epath.Path) -> bool:
    """Says whether the small files that Orbax reads of every checkpoint on opening a run are whole."""
    try:
        for file in (path / _METADATA, path / "metrics" / "metrics"):
            if file.exists():
                json.loads(file.read_text())
    except ValueError:
        return False
    return _finished(path)


def _finished(path: epath.Path) -> bool:
    return (path / _METADATA).exists()  # Orbax's own test takes any folder of folders for one


def _metrics(path: epath.Path) -> dict[str, float]:
    file = path / "metrics" / "metrics"
    return json.loads(file.read_text()) if file.exists() and readable(path) else {}


def _abstract(tree: Any, sharding: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
