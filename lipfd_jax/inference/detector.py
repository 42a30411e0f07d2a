"""The public face of a checkpoint: composites in, probabilities of a forgery out."""

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import Opened, find_model
from lipfd_jax.exporting.package import is_export
from lipfd_jax.inference.engines import open_export
from lipfd_jax.inference.loading import opened_with_program
from lipfd_jax.inference.program import make_forward, make_saliency, part_of, takes_parts
from lipfd_jax.runtime.mesh import batch_sharding, make_mesh
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

if TYPE_CHECKING:
    from lipfd_jax.detection.result import Result

_PER_DEVICE = {"cpu": 4}  # windows at once: a CPU takes two pairs, and gains nothing from more
_PER_ACCELERATOR = 8


class Scored(NamedTuple):
    """What a detector gives for composites; both float32."""

    probabilities: np.ndarray  # (B,) of a fake
    region_weights: np.ndarray  # (B, 5, 3): per frame the shares of head, face and lip, which sum to one


@dataclasses.dataclass(frozen=True)
class Detector:
    """A checkpoint ready to score composites. Make one with `Detector.open`."""

    metadata: Metadata  # architecture, input convention, windows mode and origin of the weights
    path: str  # where the checkpoint lies
    batch_size: int  # composites that go through the network together
    _run: Callable[[np.ndarray], Scored] = dataclasses.field(repr=False)  # batch_size at once, or _together
    fingerprint: str = ""  # of the weights
    _map: Callable[[np.ndarray], np.ndarray] | None = dataclasses.field(default=None, repr=False)
    _together: int = 0  # how many of them one program takes; 0 for all

    @classmethod
    def open(
        cls,
        checkpoint: str | os.PathLike,
        *,
        step: int | None = None,
        batch_size: int | None = None,
        engine: str = "auto",
        precision: str | None = None,
    ) -> "Detector":
        """Opens a converted checkpoint, a training run or one of its steps, on this process's devices.

        The program that scores is compiled, or taken from the cache, while the weights are read.

        Args:
          checkpoint: as `checkpoints.store.open_model` takes it, or an export of composites.
          step: which step of a run; by default the best by validation AUC, without validation the latest.
          batch_size: composites at once, rounded up to a multiple of the devices; by default four for each
            CPU, eight for each accelerator.
          engine: what runs an export, one of exporting.engines.ENGINES; by default the first that can.
          precision: of the computation, a setting of lipfd_jax.inference.precision; by default the
            checkpoint's. The detector's metadata then say so. "auto" changes nothing where scores are
            calibrated.

        Raises:
          CheckpointError: there is none, it is not one of ours, or it is damaged.
          ValueError: `batch_size` is below one; an unknown precision, or one that the engine lacks.
        """
        if is_export(checkpoint):
            return _of_export(checkpoint, engine, batch_size, precision)
        if engine not in ("auto", "jax"):
            raise ValueError(f"{checkpoint}: {engine} runs no checkpoints; lipfd export it first")
        mesh = make_mesh(devices=jax.local_devices())
        if batch_size is None:
            batch_size = mesh.size * _PER_DEVICE.get(jax.local_devices()[0].platform, _PER_ACCELERATOR)
        batch_size = -(-_at_least_one(batch_size) // mesh.size) * mesh.size
        found = find_model(checkpoint, step=step)
        calibrated = found.metadata.calibration is not None
        opened, precision = opened_with_program(
            found, mesh, batch_size, precision=precision, compared=calibrated
        )
        return cls(
            opened.metadata,
            str(opened.path),
            batch_size,
            _program(opened, mesh, precision),
            opened.fingerprint,
            _maps(opened, mesh),
            part_of(batch_size) if takes_parts(mesh) else 0,
        )

    def __call__(self, video: str | os.PathLike, **options: Any) -> "Result":
        """Judges a video: faces found and cut, windows scored, reasons given.

        Args:
          video: any file that PyAV reads, of any length.
          options: `sound`, another file to take the sound from; `settings`, a `detection.settings.Settings`.

        Raises:
          ClipError: the file can't be judged as a whole; the message names it and the reason.
        """
        from lipfd_jax.detection.detect import detect  # and with it the libraries that decode videos

        return detect(self, video, **options).result

    def score(self, composites: np.ndarray) -> np.ndarray:
        """Probabilities of a fake, (B,) float32, for composites (B, 1000, 2500, 3) uint8 RGB.

        Any B, also none: one program, made in `open`, serves them all.

        Raises:
          ValueError: another shape or type of values.
        """
        return self.predict(composites).probabilities

    def predict(self, composites: np.ndarray) -> Scored:
        """As `score`, with the region weights, which say where the model looked."""
        composites = _checked(composites)
        starts = range(0, len(composites), self.batch_size)
        parts = [self._padded(composites[start : start + self.batch_size]) for start in starts]
        empty = Scored(np.zeros(0, np.float32), np.zeros((0, 5, 3), np.float32))
        return Scored(*(np.concatenate(values) for values in zip(empty, *parts, strict=True)))

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """Where the score of one composite (1000, 2500, 3) uint8 hangs on: (50, 125) float32, as
        `models.saliency` has it; None where this form of the checkpoint can't tell.
        """
        return None if self._map is None else self._map(_checked(composite[None]))[0]

    def _padded(self, composites: np.ndarray) -> Scored:
        """Scores up to `batch_size` composites; blank ones fill what the program takes."""
        count = len(composites)
        size = self._together if count <= self._together else self.batch_size
        if count < size:
            blank = np.zeros((size - count, *COMPOSITE_SHAPE), np.uint8)
            composites = np.concatenate([composites, blank])
        return Scored(*(values[:count] for values in self._run(composites)))


def _of_export(
    path: str | os.PathLike, engine: str, batch_size: int | None, precision: str | None
) -> Detector:
    opened = open_export(path, engine, precision)
    if opened.source != "composites":
        raise CheckpointError(f"{path}: takes {opened.source} pictures; export with --inputs=composites")

    def run(composites: np.ndarray) -> Scored:
        return Scored(*(np.asarray(values, np.float32) for values in opened.run(composites)))

    batch_size = _at_least_one(batch_size or 2)
    return Detector(opened.metadata, str(opened.path), batch_size, run, opened.fingerprint)


def _at_least_one(batch_size: int) -> int:
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: expected one or more")
    return batch_size


def _checked(composites: np.ndarray) -> np.ndarray:
    composites = np.asarray(composites)
    if composites.ndim != 4 or composites.shape[1:] != COMPOSITE_SHAPE:
        shape = ", ".join(map(str, COMPOSITE_SHAPE))
        hint = "; put a single one in a batch: composite[None]" if composites.shape == COMPOSITE_SHAPE else ""
        raise ValueError(f"composites have shape {composites.shape}, expected (B, {shape}){hint}")
    if composites.dtype != np.uint8:
        raise ValueError(f"composites hold {composites.dtype}, expected uint8: RGB values from 0 to 255")
    return composites


def _program(
    opened: Opened, mesh: jax.sharding.Mesh, precision: str | None
) -> Callable[[np.ndarray], Scored]:
    graph, state = nnx.split(opened.model)
    forward, sharding = make_forward(graph, mesh, "auto", precision), batch_sharding(mesh)

    def run(composites: np.ndarray) -> Scored:
        results = jax.device_get(forward((state,), jax.device_put(composites, sharding)))
        return Scored(*(np.asarray(values, np.float32) for values in results))

    return run


def _maps(opened: Opened, mesh: jax.sharding.Mesh) -> Callable[[np.ndarray], np.ndarray]:
    graph, state = nnx.split(opened.model)

    def run(composites: np.ndarray) -> np.ndarray:
        return np.asarray(jax.device_get(make_saliency(graph, mesh)((state,), composites)), np.float32)

    return run
