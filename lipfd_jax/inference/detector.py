"""An opened checkpoint or export that scores composites; `CompositeDetector.open` opens one."""

import logging
import os
from dataclasses import dataclass, field, replace
from typing import Any, Self

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from lipfd_jax.checkpoints import shipped
from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.folders import find_checkpoint, read_metadata
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import resolve_checkpoint
from lipfd_jax.exporting.package import is_export
from lipfd_jax.inference.engines import open_export
from lipfd_jax.inference.loading import load_with_program
from lipfd_jax.inference.predictor import Predictions
from lipfd_jax.inference.runner import ExportRunner, ProgramRunner, Runner
from lipfd_jax.runtime.mesh import make_mesh
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

logger = logging.getLogger(__name__)

_PER_DEVICE = {"cpu": 4}  # default batch: a CPU computes two pairs at once, and gains nothing from more
_PER_ACCELERATOR = 8
_OF_EXPORT = 2


@dataclass(frozen=True)
class CompositeDetector:
    """A checkpoint or export ready to score composites. Make one with `CompositeDetector.open`."""

    metadata: Metadata  # architecture, input convention, window convention and origin of the weights
    path: str  # path of the checkpoint or export
    batch_size: int  # composites that go through the network together, over all devices
    fingerprint: str  # checksum of the weights
    runner: Runner = field(repr=False)

    @classmethod
    def open(
        cls,
        checkpoint: str | os.PathLike | None = None,
        *,
        step: int | None = None,
        batch_size: int | None = None,
        engine: str = "auto",
        precision: str | None = None,
        kernels: str = "auto",
        calibrated: bool = True,
        compared: bool = False,
        mesh: Mesh | None = None,
    ) -> Self:
        """Opens a converted checkpoint, a training run or one of its steps, or an export.

        The program that scores is compiled, or taken from the cache, while the weights are read.

        Args:
          checkpoint: as `checkpoints.store.open_model` takes it, or an export of composites; by default
            the detector that ships with the package, `lipfd:small`, which a logged line names.
          step: which step of a run; by default the best by validation AUC, without validation the latest.
          batch_size: composites at once, rounded up to a multiple of the devices; by default four for each
            CPU, eight for each accelerator, two for an export.
          engine: what runs an export, one of inference.engines.ENGINES; by default the first installed.
          precision: of the computation, a setting of inference.precision; by default the checkpoint's. The
            detector's metadata then name it. "auto" changes nothing when scores are compared with others.
          kernels: how operations are computed, a setting of kernels.dispatch; exports have no choice.
          calibrated: the checkpoint's calibration, if there is one, is going to be applied to the scores.
          compared: the scores are going to be compared with others.
          mesh: devices to compute on; by default those of this process. Several processes that share one
            all call `submit`; each scores by itself with `local()`.

        Raises:
          CheckpointError: there is none, it is not one of ours, or it is damaged.
          ValueError: `batch_size` is below one; an unknown precision, or one that the engine or kernels
            lack; an engine for a checkpoint; an export for several processes.
        """
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: expected one or more")
        checkpoint = choose_checkpoint(checkpoint)
        if is_export(checkpoint):
            if mesh is not None and mesh.is_multi_process:
                raise ValueError(f"{checkpoint}: an export runs in one process; do without --distributed")
            return cls._open_export(checkpoint, engine, batch_size or _OF_EXPORT, precision)
        if engine not in ("auto", "jax"):
            raise ValueError(f"{checkpoint}: {engine} runs no checkpoints; lipfd export it first")
        mesh = mesh or make_mesh(devices=jax.local_devices())
        batch_size = _fill_devices(batch_size, mesh)
        reference = resolve_checkpoint(checkpoint, step=step)
        has_calibration = reference.metadata.calibration is not None
        loaded, precision = load_with_program(
            reference,
            mesh,
            batch_size,
            precision=precision,
            compared=compared or (calibrated and has_calibration),
            kernels=kernels,
        )
        graph, state = nnx.split(loaded.model)
        runner = ProgramRunner(graph, (state,), mesh, kernels, precision)
        return cls(loaded.metadata, str(loaded.path), batch_size, loaded.fingerprint, runner)

    @classmethod
    def _open_export(
        cls, path: str | os.PathLike, engine: str, batch_size: int, precision: str | None
    ) -> Self:
        loaded = open_export(path, engine, precision)
        if loaded.source != "composites":
            raise CheckpointError(f"{path}: takes {loaded.source} inputs; export with --inputs=composites")
        return cls(loaded.metadata, str(loaded.path), batch_size, loaded.fingerprint, ExportRunner(loaded))

    @property
    def engine(self) -> str:
        """Engine of an export, such as "onnxruntime" or "openvino in bfloat16"; "" for a checkpoint."""
        return self.runner.engine

    @property
    def smallest_batch(self) -> int:
        """Composites that the program takes at least: two on a CPU, else `batch_size`. Blank ones fill up."""
        return self.runner.smallest_batch(self.batch_size)

    def score(self, composites: np.ndarray) -> np.ndarray:
        """Returns probabilities of a fake, (B,) float32, for composites (B, 1000, 2500, 3) uint8 RGB.

        Any B, also none: one program, made in `open`, serves them all.

        Raises:
          ValueError: another shape or dtype; a detector that several processes share.
        """
        return self.predict(composites).probabilities

    def predict(self, composites: np.ndarray) -> Predictions:
        """As `score`, with the region weights, which show where the model looked."""
        if self.runner.processes > 1:
            raise ValueError(f"{self.path}: {self.runner.processes} processes share it; use local()")
        composites = _check_composites(composites)
        starts = range(0, len(composites), self.batch_size)
        parts = [self._predict_batch(composites[start : start + self.batch_size]) for start in starts]
        empty = Predictions(np.zeros(0, np.float32), np.zeros((0, 5, 3), np.float32))
        return Predictions(*(np.concatenate(values) for values in zip(empty, *parts, strict=True)))

    def submit(self, composites: np.ndarray) -> tuple[Any, Any]:
        """Starts scoring one batch, for callers that read the next one meanwhile; see `Runner.submit`.

        Args:
          composites: a multiple of `smallest_batch`, at most `batch_size` of them; of several processes
            this one's part.
        """
        return self.runner.submit(composites)

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """Returns the saliency map of one composite (1000, 2500, 3) uint8: (50, 125) float32.

        It is that of `models.saliency`; None from an export.
        """
        maps = self.runner.saliency(_check_composites(composite[None]))
        return None if maps is None else maps[0]

    def local(self) -> Self:
        """Returns a detector on the devices of this process, with the same weights; itself if it is alone."""
        if self.runner.processes == 1:
            return self
        size = self.batch_size // self.runner.processes
        return replace(self, runner=self.runner.local(), batch_size=size)

    def _predict_batch(self, composites: np.ndarray) -> Predictions:
        """Scores up to `batch_size` composites, filled up with blank ones to what the program takes."""
        count = len(composites)
        if missing := -count % self.smallest_batch:
            composites = np.concatenate([composites, np.zeros((missing, *COMPOSITE_SHAPE), np.uint8)])
        results = jax.device_get(self.runner.submit(composites))
        return Predictions(*(np.asarray(values, np.float32)[:count] for values in results))


def choose_checkpoint(checkpoint: str | os.PathLike | None) -> str | os.PathLike:
    """Returns the checkpoint; where none is given, the name of the one that ships, and logs that.

    Raises:
      CheckpointError: none is given, and none is installed.
    """
    if checkpoint is not None:
        return checkpoint
    if not shipped.has_default():
        raise CheckpointError(shipped.NO_CHECKPOINT)
    logger.warning("%s", shipped.describe_default())
    return shipped.SMALL


def check_openable(checkpoint: str | os.PathLike, step: int | None = None) -> None:
    """Raises CheckpointError at once where `CompositeDetector.open` would for lack of a checkpoint.

    Reads a checkpoint's metadata and no weights; of an export nothing.
    """
    if not is_export(checkpoint):
        read_metadata(find_checkpoint(checkpoint, step))


def _fill_devices(batch_size: int | None, mesh: Mesh) -> int:
    """The batch size as a multiple of the number of devices; the default of these devices for None."""
    if batch_size is None:
        return mesh.size * _PER_DEVICE.get(mesh.devices.flat[0].platform, _PER_ACCELERATOR)
    return -(-batch_size // mesh.size) * mesh.size


def _check_composites(composites: np.ndarray) -> np.ndarray:
    composites = np.asarray(composites)
    if composites.ndim != 4 or composites.shape[1:] != COMPOSITE_SHAPE:
        shape = ", ".join(map(str, COMPOSITE_SHAPE))
        hint = "; put a single one in a batch: composite[None]" if composites.shape == COMPOSITE_SHAPE else ""
        raise ValueError(f"composites have shape {composites.shape}, expected (B, {shape}){hint}")
    if composites.dtype != np.uint8:
        raise ValueError(f"composites hold {composites.dtype}, expected uint8: RGB values from 0 to 255")
    return composites
