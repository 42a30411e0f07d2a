"""Shardings: batches over both axes, large parameters over fsdp."""

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, PartitionSpec

from lipfd_jax.runtime.mesh import batch_sharding, make_mesh, state_sharding


def test_the_largest_dimension_is_shared():
    mesh = AbstractMesh((2, 2), ("data", "fsdp"))
    state = {
        "kernel": jax.ShapeDtypeStruct((64, 1024), np.float32),
        "odd": jax.ShapeDtypeStruct((1025, 33), np.float32),
        "bias": jax.ShapeDtypeStruct((1024,), np.float32),
    }
    found = state_sharding(state, mesh)
    assert found["kernel"].spec == PartitionSpec(None, "fsdp")
    assert found["odd"].spec == PartitionSpec()
    assert found["bias"].spec == PartitionSpec()


def test_a_batch_is_split_over_both_axes():
    sharding = batch_sharding(AbstractMesh((2, 2), ("data", "fsdp")))
    assert sharding.shard_shape((8, 3)) == (2, 3)


def test_fsdp_must_divide_the_devices():
    with pytest.raises(ValueError, match="does not divide"):
        make_mesh(jax.device_count() + 1)
