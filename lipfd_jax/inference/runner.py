"""Runs a detector's network on batches: the compiled program of a checkpoint, or the engine of an export."""

from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from lipfd_jax.inference.engines import LoadedExport
from lipfd_jax.inference.program import choose_part_size, make_forward, make_saliency, takes_pairs
from lipfd_jax.runtime.mesh import make_mesh, put_on_devices, replicated_sharding


class Runner(Protocol):
    """The network of a detector, ready to compute."""

    engine: str  # an export's engine, with its precision if that isn't float32; "" for a checkpoint
    processes: int  # that have to call `submit` together

    def smallest_batch(self, batch_size: int) -> int:
        """Returns the number of composites whose multiples up to `batch_size` one program computes."""

    def submit(self, composites: np.ndarray) -> tuple[Any, Any]:
        """Starts scoring (B, 1000, 2500, 3) uint8; returns scores (B,) and region weights (B, 5, 3).

        They are arrays of JAX or NumPy; those of JAX may still be under computation. Several processes each
        give their part of the batch and get the results of the whole.
        """

    def saliency(self, composites: np.ndarray) -> np.ndarray | None:
        """Saliency maps (B, 50, 125) float32, as in `models.saliency`; None where there is no gradient."""

    def local(self) -> "Runner":
        """Returns the same network on the devices of this process alone, without copying the weights."""


class ProgramRunner:
    """A model on a mesh; programs are compiled for it when they are first needed."""

    engine = ""

    def __init__(
        self, graph: Any, states: tuple, mesh: Mesh, kernels: str = "auto", precision: str | None = None
    ):
        """Takes a model.

        Args:
          graph: its structure (nnx.split).
          states: its state trees, on the mesh.
          kernels: a setting of kernels.dispatch.
          precision: what the model was given in `precision.with_precision`.

        Raises:
          ValueError: these kernels do not compute in that precision.
        """
        self._graph, self._states, self._mesh = graph, states, mesh
        self._kernels, self._precision = kernels, precision
        self._forward = make_forward(graph, mesh, kernels, precision)
        self.processes = len({device.process_index for device in mesh.devices.flat})

    def smallest_batch(self, batch_size: int) -> int:
        """Returns two for an even batch on one CPU, which computes in pairs, else `batch_size`."""
        return choose_part_size(batch_size) if takes_pairs(self._mesh) else batch_size

    def submit(self, composites: np.ndarray) -> tuple[jax.Array, jax.Array]:
        """As in `Runner`: on one CPU computed on return, elsewhere under computation."""
        return self._forward(self._states, put_on_devices({"composite": composites}, self._mesh)["composite"])

    def saliency(self, composites: np.ndarray) -> np.ndarray:
        """As in `Runner`; several processes all give the same composites."""
        mapped = make_saliency(self._graph, self._mesh, self._kernels)
        return np.asarray(jax.device_get(mapped(self._states, composites)), np.float32)

    def local(self) -> "ProgramRunner":
        """As in `Runner`: the weights are whole on each device, so this process's copies serve."""
        if self.processes == 1:
            return self
        mesh = make_mesh(devices=jax.local_devices())

        def own_copies(array: jax.Array) -> jax.Array:
            copies = [shard.data for shard in array.addressable_shards]
            return jax.make_array_from_single_device_arrays(array.shape, replicated_sharding(mesh), copies)

        states = jax.tree.map(own_copies, self._states)
        return ProgramRunner(self._graph, states, mesh, self._kernels, self._precision)


class ExportRunner:
    """An export of composites in its engine."""

    processes = 1

    def __init__(self, export: LoadedExport):
        self._export = export
        in_precision = "" if export.precision == "float32" else f" in {export.precision}"
        self.engine = f"{export.engine}{in_precision}"

    def smallest_batch(self, batch_size: int) -> int:
        """Returns `batch_size`: JAX would compile an export anew for each other size."""
        return batch_size

    def submit(self, composites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As in `Runner`; computed on return."""
        return self._export.run(composites)

    def saliency(self, composites: np.ndarray) -> None:
        """Returns None: an export holds no gradient."""

    def local(self) -> "ExportRunner":
        """Returns itself."""
        return self
