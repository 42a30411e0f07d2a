"""Convolutions against their definition as a sum."""

import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.kernels.convolution import convolution
from lipfd_jax.kernels.input_convolution import input_convolution


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (3, 2), (7, 2)])
def test_convolution_is_padded_by_half(size, stride):
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 12, 12, 4)), rng.standard_normal((size, size, 4, 6))
    padded = np.pad(x, ((0, 0), *[(size // 2,) * 2] * 2, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))[:, ::stride, ::stride]
    found = convolution(jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32), stride)
    np.testing.assert_allclose(found, np.einsum("nhwcij,ijco->nhwo", windows, kernel), atol=1e-4)


def test_input_convolution_makes_a_pixel_of_each_square():
    rng = np.random.default_rng(0)
    images, kernel = rng.standard_normal((2, 20, 30, 3)), rng.standard_normal((5, 5, 3, 4))
    expected = np.einsum("bipjqc,pqco->bijo", images.reshape(2, 4, 5, 6, 5, 3), kernel)
    found = input_convolution(jnp.asarray(images, jnp.float32), jnp.asarray(kernel, jnp.float32))
    np.testing.assert_allclose(found, expected, atol=1e-4)
