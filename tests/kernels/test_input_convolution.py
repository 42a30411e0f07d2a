"""The TPU's form of the input convolution and of the resizing before it, against the plain forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.kernels.input_convolution import _convolved, _multiplied, convolve, resize_in_squares
from lipfd_jax.kernels.resize import resize, taps

SIDES = {"rows": taps(40, 35, antialias=True), "columns": taps(60, 20, antialias=True)}


def between(pictures):
    return (pictures - jnp.array([100.0, 110, 120], pictures.dtype)) * jnp.asarray(0.02, pictures.dtype)


@pytest.fixture
def pictures():
    return jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3)), jnp.uint8)


def test_resizing_in_squares_is_resizing(pictures):
    expected = between(resize(pictures, method="gather", **SIDES))
    found = resize_in_squares(pictures, dtype=jnp.float32, between=between, **SIDES)
    assert found.shape == (2, 35, 20, 3)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_half_precision_is_near(pictures):
    expected = between(resize(pictures, method="gather", **SIDES))
    found = resize_in_squares(pictures, dtype=jnp.bfloat16, between=between, **SIDES)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype(jnp.float32), expected, atol=0.05)


def test_both_convolutions_agree_with_their_gradients():
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.standard_normal((2, 20, 30, 3)), jnp.float32)
    kernel = jnp.asarray(rng.standard_normal((5, 5, 3, 4)), jnp.float32)
    windows = np.asarray(images).reshape(2, 4, 5, 6, 5, 3)
    expected = np.einsum("bipjqc,pqco->bijo", windows, kernel)
    given = jnp.asarray(rng.standard_normal((2, 4, 6, 4)), jnp.float32)
    gradients = []
    for function in (_convolved, _multiplied, convolve):
        found, back = jax.vjp(function, images, kernel)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        gradients.append(back(given))
    for others in gradients[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), gradients[0], others)
