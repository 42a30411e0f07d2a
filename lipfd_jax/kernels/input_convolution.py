"""The whole picture as the input convolution reads it: squares of 5x5 pixels, each of which gives one pixel.

On a TPU such a convolution first moves every pixel to another place in memory, which takes longer than all
else that is done to the picture. Resizing, itself a matrix product there, can as well deliver the pixels as
(squares, positions inside a square) along each axis; the convolution is then one more product.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.resize import Taps

SQUARE = 5  # side of the input convolution's kernel, and its stride


def resize_in_squares(
    pictures: jax.Array,
    rows: Taps,
    columns: Taps,
    *,
    dtype: jax.typing.DTypeLike,
    between: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """What resize.resize gives by products, laid out for `convolve`.

    Args:
      pictures: (..., height, width, channels), uint8 or float.
      rows: taps of the height, to a multiple of 5.
      columns: taps of the width, to a multiple of 5.
      dtype: of the result.
      between: is applied between the products, on (..., channels); must commute with resizing.
    """
    precision = jax.lax.Precision.HIGHEST if dtype == jnp.float32 else None
    product = functools.partial(jnp.einsum, precision=precision, preferred_element_type=jnp.float32)
    across, down = (
        jnp.asarray(taps.matrix().reshape(-1, SQUARE, taps.length), dtype) for taps in (columns, rows)
    )
    narrow = product("jqw,...hwc->...hqjc", across, pictures.astype(dtype)).astype(dtype)
    squares = product("iph,...hqjc->...ipjqc", down, between(narrow)).astype(dtype)
    return squares.reshape(*pictures.shape[:-3], rows.size, columns.size, pictures.shape[-1])


def convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Pictures (B, P, P, 3) and a kernel (5, 5, 3, outputs) of one dtype to (B, P / 5, P / 5, outputs)."""
    return jax.lax.platform_dependent(images, kernel, cpu=_convolved, default=_multiplied)


def _convolved(images: jax.Array, kernel: jax.Array) -> jax.Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(images, kernel, (SQUARE, SQUARE), "VALID", dimension_numbers=numbers)


def _multiplied(images: jax.Array, kernel: jax.Array) -> jax.Array:
    batch, height, width, channels = images.shape
    squares = images.reshape(batch, height // SQUARE, SQUARE, width // SQUARE, SQUARE, channels)
    return jnp.einsum("bipjqc,pqco->bijo", squares, kernel)
