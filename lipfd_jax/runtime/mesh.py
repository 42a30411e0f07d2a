"""Device mesh with a data axis and an axis that shards parameters, and the shardings of batches and state."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

DATA, FSDP = "data", "fsdp"
_SMALLEST_SHARDED = 2**14  # values; below this a shard saves nothing and costs a message


def make_mesh(fsdp: int = 1, devices: Any = None) -> Mesh:
    """Returns the mesh (data, fsdp) over all devices; `fsdp` of them share one copy of the parameters."""
    devices = list(devices if devices is not None else jax.devices())
    if len(devices) % fsdp:
        raise ValueError(f"fsdp={fsdp} does not divide the {len(devices)} devices")
    # Auto axes: under Explicit ones a class token next to sharded patches is a type error.
    return jax.make_mesh(
        (len(devices) // fsdp, fsdp), (DATA, FSDP), axis_types=(AxisType.Auto,) * 2, devices=devices
    )


def connect_processes(mesh: Mesh) -> None:
    """Connects the processes in every group of devices that a program on the mesh can use.

    CPU processes connect at a group's first collective and give up after 30 seconds. Without this call that
    would be in the first step, which one process may compile for longer than another.
    """
    if jax.process_count() == 1:
        return
    ones = np.ones(len(mesh.local_devices), np.float32)
    values = jax.make_array_from_process_local_data(batch_sharding(mesh), ones)
    spec = batch_sharding(mesh).spec
    for axes in ((DATA,), (FSDP,), (DATA, FSDP)):
        total = functools.partial(jax.lax.psum, axis_name=axes)
        meet = jax.shard_map(total, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
        jax.block_until_ready(jax.jit(meet)(values))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of a batch: split over both axes, so that every device has its own samples."""
    return NamedSharding(mesh, PartitionSpec((DATA, FSDP)))


def replicated_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of arrays that every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def state_sharding(state: Any, mesh: Mesh) -> Any:
    """Returns each array's sharding: large arrays are split along the largest dimension divisible by fsdp."""

    def shard(array: Any) -> NamedSharding:
        size = mesh.shape[FSDP]
        fits = [d for d, n in enumerate(array.shape) if n % size == 0]
        if size == 1 or not fits or np.prod(array.shape) < _SMALLEST_SHARDED:
            return replicated_sharding(mesh)
        split = max(fits, key=lambda d: array.shape[d])
        return NamedSharding(mesh, PartitionSpec(*(FSDP if d == split else None for d in range(split + 1))))

    return jax.tree.map(shard, state)


def put_on_devices(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Returns global arrays made of this process's part of a batch."""
    sharding = batch_sharding(mesh)
    return {name: jax.make_array_from_process_local_data(sharding, value) for name, value in batch.items()}
