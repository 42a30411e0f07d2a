"""Convolutions have the values and gradients of JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.kernels.convolution import convolution, product


def plain(x, kernel, stride):
    padding = [(len(kernel) // 2,) * 2] * 2
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=numbers)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
    ("size", "stride", "shape"), [(3, 1, (4, 9, 7, 5)), (3, 2, (3, 10, 8, 5)), (7, 2, (5, 16, 12, 3))]
)
def test_a_convolution_and_its_gradients(size, stride, shape, dtype):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal(shape), dtype)
    kernel = jnp.asarray(rng.standard_normal((size, size, shape[-1], 6)), dtype)
    expected, plain_gradients = jax.vjp(lambda *a: plain(*a, stride), x, kernel)
    found, gradients = jax.vjp(lambda *a: convolution(*a, stride), x, kernel)
    np.testing.assert_array_equal(found, expected)
    above = jnp.asarray(rng.standard_normal(expected.shape), dtype)
    scale = 1e-5 if dtype == jnp.float32 else 2e-2
    for ours, theirs in zip(gradients(above), plain_gradients(above), strict=True):
        assert ours.dtype == dtype
        ours, theirs = (np.asarray(a, np.float32) for a in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, atol=scale * np.abs(theirs).max())


def test_product_compiles_to_a_convolution_elsewhere():
    """What a TPU gets, compiled nowhere here, computes the same."""
    rng = np.random.default_rng(0)
    x, kernel = jnp.asarray(rng.standard_normal((2, 3, 4, 5)), jnp.float32), jnp.ones((5, 6))
    exported = jax.export.export(jax.jit(product), platforms=["tpu"])(x, kernel)
    assert "stablehlo.convolution" in exported.mlir_module()
    assert "dot_general" not in exported.mlir_module()
    np.testing.assert_allclose(product(x, kernel), np.asarray(x) @ np.asarray(kernel), rtol=1e-5)
