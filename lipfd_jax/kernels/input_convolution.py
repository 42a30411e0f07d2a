"""The 5x5 convolution of stride 5 between the whole composite and the encoder."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.dispatch import select_variant

SQUARE = 5  # side of the kernel, and its stride


def input_convolution(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves images (B, P, P, 3) with a kernel (5, 5, 3, outputs): (B, P / 5, P / 5, outputs), one
    dtype.
    """
    return {"plain": plain, "squares": by_squares}[select_variant("input_convolution")](images, kernel)


def plain(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The definition."""
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(images, kernel, (SQUARE, SQUARE), "VALID", dimension_numbers=numbers)


def by_squares(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """A single product, for images in the layout of `resize_image.in_squares`."""
    batch, height, width, channels = images.shape
    squares = images.reshape(batch, height // SQUARE, SQUARE, width // SQUARE, SQUARE, channels)
    return jnp.einsum("bipjqc,pqco->bijo", squares, kernel)
