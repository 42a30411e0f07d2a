"""Batch normalisation against its definition; the short way after a 1x1 convolution against the long one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.models.norm import BatchNorm, moments


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


@pytest.fixture
def layer():
    """Activations as a ReLU leaves them, a kernel, and a norm with values of both signs."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(np.maximum(rng.normal(0.5, 1, (8, 7, 7, 12)), 0), jnp.float32)
    kernel = jnp.asarray(rng.standard_normal((12, 20)), jnp.float32)
    norm = BatchNorm(20)
    norm.scale[...], norm.bias[...] = jnp.asarray(rng.standard_normal((2, 20)), jnp.float32)
    return x, kernel, norm


@pytest.mark.parametrize("train", [False, True])
def test_norm_of_a_product_is_the_norm_of_the_product(layer, train):
    x, kernel, norm = layer
    plain = nnx.clone(norm)
    expected = plain(x @ kernel, train=train)
    np.testing.assert_allclose(norm.of_product(x, kernel, train=train), expected, atol=1e-5)
    np.testing.assert_allclose(norm.mean[...], plain.mean[...], rtol=1e-5)
    np.testing.assert_allclose(norm.var[...], plain.var[...], rtol=1e-4)


def test_so_are_its_gradients(layer):
    x, kernel, norm = layer
    graph, params, statistics = nnx.split(norm, nnx.Param, nnx.BatchStat)
    weights = jnp.asarray(np.random.default_rng(1).standard_normal((8, 7, 7, 20)), jnp.float32)

    def loss(x, kernel, params, short):
        norm = nnx.merge(graph, params, statistics, copy=True)
        y = norm.of_product(x, kernel, train=True) if short else norm(x @ kernel, train=True)
        return jnp.sum(jnp.maximum(y, 0) * weights)

    found, expected = (jax.grad(loss, (0, 1, 2))(x, kernel, params, short) for short in (True, False))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=3e-5 * np.abs(b).max()), found, expected)


def test_half_precision_loses_no_more_the_short_way(layer):
    x, kernel, norm = layer
    exact = np.asarray(nnx.clone(norm)(x @ kernel, train=True))
    half = x.astype(jnp.bfloat16)
    short = nnx.clone(norm).of_product(half, kernel, train=True)
    long = nnx.clone(norm)(half @ kernel.astype(jnp.bfloat16), train=True)
    assert short.dtype == jnp.bfloat16
    errors = [np.sqrt(np.mean(np.square(np.asarray(y, np.float32) - exact))) for y in (short, long)]
    assert errors[0] < 1.2 * errors[1]


def test_moments_and_their_gradient():
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 3, 4, 5)), jnp.float32)
    flat = np.asarray(x).reshape(-1, 5)
    (first, second), back = jax.vjp(moments, x)
    np.testing.assert_allclose(first, flat.sum(0), atol=1e-5)
    np.testing.assert_allclose(second, flat.T @ flat, atol=1e-5)
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal(5).astype(np.float32), rng.standard_normal((5, 5)).astype(np.float32)
    np.testing.assert_allclose(back((a, b))[0].reshape(-1, 5), flat @ (b + b.T) + a, atol=1e-4)
