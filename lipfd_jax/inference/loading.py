"""Loads a checkpoint's weights while the program that scores with them is compiled."""

import functools
from concurrent.futures import ThreadPoolExecutor

from jax.sharding import Mesh

from lipfd_jax.checkpoints.store import CheckpointRef, LoadedCheckpoint, read_weights
from lipfd_jax.inference.precision import apply_precision
from lipfd_jax.inference.program import prepare_forward
from lipfd_jax.runtime.memory import release_freed_memory
from lipfd_jax.runtime.mesh import replicated_sharding


def load_with_program(
    reference: CheckpointRef,
    mesh: Mesh,
    batch_size: int,
    *,
    precision: str | None,
    compared: bool,
    kernels: str = "auto",
) -> tuple[LoadedCheckpoint, str | None]:
    """Returns the checkpoint with its weights on the mesh, and the precision that it is computed in.

    `make_forward` then has its program for `batch_size` composites.

    Args:
      precision, compared: as in `precision.apply_precision`.
      kernels: a setting of kernels.dispatch.

    Raises:
      CheckpointError: as from `read_weights`.
      ValueError: there is no such precision, or these kernels lack it.
    """
    in_precision = functools.partial(apply_precision, devices=list(mesh.devices.flat), compared=compared)
    ahead, precision = in_precision(reference, setting=precision)
    with ThreadPoolExecutor(1, "program") as threads:
        made = threads.submit(prepare_forward, ahead.model, batch_size, mesh, kernels, precision)
        loaded, _ = in_precision(read_weights(reference, replicated_sharding(mesh)), setting=precision)
        release_freed_memory()
        made.result()
    return loaded, precision
