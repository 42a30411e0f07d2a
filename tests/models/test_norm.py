"""Batch normalisation against its definition."""

import jax.numpy as jnp
import numpy as np

from lipfd_jax.models.norm import BatchNorm


def test_batch_norm_measures_and_remembers():
    x = np.random.default_rng(0).normal(300, 2, (4, 3, 3, 5)).astype(np.float32)  # mean far above deviation
    norm = BatchNorm(5)
    norm.mean[...] = jnp.full(5, 290.0)
    y = np.asarray(norm(jnp.asarray(x), train=True))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, atol=1e-3)
    np.testing.assert_allclose(norm.mean[...], 0.9 * 290 + 0.1 * x.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(norm.var[...], 0.9 + 0.1 * x.var((0, 1, 2), ddof=1), rtol=1e-4)


def test_batch_norm_at_rest_uses_what_it_remembers():
    norm = BatchNorm(2)
    norm.mean[...], norm.var[...] = jnp.array([1.0, 2.0]), jnp.array([4.0, 9.0])
    y = norm(jnp.full((1, 1, 1, 2), 5.0), train=False)
    np.testing.assert_allclose(y[0, 0, 0], [2, 1], rtol=1e-5)
    np.testing.assert_array_equal(norm.mean[...], [1, 2])


def test_bfloat16_statistics_are_float32():
    x = jnp.asarray(np.random.default_rng(0).normal(5, 1, (64, 16, 16, 3)), jnp.bfloat16)
    norm = BatchNorm(3)
    assert norm(x, train=True).dtype == jnp.bfloat16
    expected = np.asarray(x, np.float64)
    np.testing.assert_allclose(norm.mean[...], 0.1 * expected.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(norm.var[...], 0.9 + 0.1 * expected.var((0, 1, 2)), rtol=1e-4)
