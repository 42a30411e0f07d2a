"""A checkpoint's weights, read while the program is made that scores with them."""

import functools
from concurrent.futures import ThreadPoolExecutor

from jax.sharding import Mesh

from lipfd_jax.checkpoints.store import Found, Opened, read_weights
from lipfd_jax.inference.precision import opened_in
from lipfd_jax.inference.program import prepare_forward
from lipfd_jax.runtime.memory import release_freed_memory
from lipfd_jax.runtime.mesh import replicated_sharding


def opened_with_program(
    found: Found, mesh: Mesh, batch_size: int, *, precision: str | None, compared: bool, kernels: str = "auto"
) -> tuple[Opened, str | None]:
    """The checkpoint on the mesh, in the precision it is computed in, and which one that is.

    `make_forward` then has its program for `batch_size` composites.

    Args:
      precision, compared: as `precision.opened_in` takes them.
      kernels: a setting of kernels.dispatch.

    Raises:
      CheckpointError: as from `read_weights`.
      ValueError: there is no such precision, or these kernels lack it.
    """
    in_precision = functools.partial(opened_in, devices=mesh.devices.flatten(), compared=compared)
    ahead, precision = in_precision(found, setting=precision)
    with ThreadPoolExecutor(1, "program") as threads:
        made = threads.submit(prepare_forward, ahead.model, batch_size, mesh, kernels, precision)
        opened, _ = in_precision(read_weights(found, replicated_sharding(mesh)), setting=precision)
        release_freed_memory()
        made.result()
    return opened, precision
