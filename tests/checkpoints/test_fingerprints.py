"""Sums are of contents alone, and every array's own."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from lipfd_jax.checkpoints.fingerprints import array_checksums, compute_fingerprint, find_differences
from lipfd_jax.runtime.mesh import make_mesh

TREE = {"encoder": {0: np.arange(6, dtype=np.float32).reshape(2, 3)}, "bias": np.float32(1.5)}


def test_names_are_paths_and_the_place_of_an_array_does_not_matter():
    sums = array_checksums(TREE)
    assert sorted(sums) == ["bias", "encoder/0"]
    assert array_checksums(jax.tree.map(jnp.asarray, TREE)) == sums
    assert (
        array_checksums({"encoder": {"0": np.asfortranarray(TREE["encoder"][0])}, "bias": TREE["bias"]})
        == sums
    )
    mesh = make_mesh()
    placed = jax.device_put(np.zeros((mesh.size, 2)), NamedSharding(mesh, PartitionSpec(("data", "fsdp"))))
    assert array_checksums([placed]) == array_checksums([np.asarray(placed)])


def test_values_shape_and_type_count():
    base = np.zeros((2, 3), np.float32)
    one = base.copy()
    one[1, 2] = 1e-45
    others = [base, one, -base, base.reshape(3, 2), base.astype(np.int32), base.astype(ml_dtypes.bfloat16)]
    assert len({array_checksums([array])["0"] for array in others}) == len(others)


def test_differences_are_named_in_order():
    assert find_differences({"b": "1", "a": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}) == ["a", "b", "d"]


def test_a_fingerprint_does_not_depend_on_order_but_on_names():
    assert compute_fingerprint({"a": "1", "b": "2"}) == compute_fingerprint({"b": "2", "a": "1"})
    assert compute_fingerprint({"a": "1", "b": "2"}) != compute_fingerprint({"a": "2", "b": "1"})
