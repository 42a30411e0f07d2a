"""Batches processed in parts: part sizes, and trees of arrays."""

import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.kernels.chunks import largest_divisor, map_parts


@pytest.mark.parametrize(("count", "size", "parts"), [(4, 2, 2), (5, 4, 1), (6, 4, 3), (3, 8, 3)])
def test_parts_divide_the_batch(count, size, parts):
    sizes = []

    def function(batch):
        sizes.append(batch["a"].shape[0])
        return {"sum": batch["a"].sum(1) + batch["b"]}

    batch = {"a": jnp.arange(3.0 * count).reshape(count, 3), "b": jnp.arange(count)}
    expected = np.arange(3.0 * count).reshape(count, 3).sum(1) + np.arange(count)
    np.testing.assert_array_equal(map_parts(function, batch, size)["sum"], expected)
    assert set(sizes) == {parts}


@pytest.mark.parametrize(("count", "limit", "expected"), [(12, 5, 4), (7, 6, 1), (7, 7, 7), (30, 15, 15)])
def test_largest_divisor(count, limit, expected):
    assert largest_divisor(count, limit) == expected
