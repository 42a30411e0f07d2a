"""Resizing of the whole composite for the input convolution, which reduces each 5x5 square to one pixel."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from lipfd_jax.kernels.dispatch import select_variant
from lipfd_jax.kernels.input_convolution import SQUARE
from lipfd_jax.kernels.resize import Taps, resize

ColourTransform = Callable[[jax.Array], jax.Array]


def resize_image(
    images: jax.Array, rows: Taps, columns: Taps, *, dtype: DTypeLike, transform: ColourTransform
) -> jax.Array:
    """Resamples images (..., height, width, channels) to (..., rows.size, columns.size, channels).

    Args:
      images: uint8 or float.
      rows: taps of the height, to a multiple of 5.
      columns: taps of the width, to a multiple of 5.
      dtype: of the result.
      transform: applied to the result, on (..., channels); must commute with resizing.
    """
    function = {"plain": plain, "squares": in_squares}[select_variant("resize_image")]
    return function(images, rows, columns, dtype=dtype, transform=transform)


def plain(
    images: jax.Array, rows: Taps, columns: Taps, *, dtype: DTypeLike, transform: ColourTransform
) -> jax.Array:
    """The definition."""
    return transform(resize(images, rows, columns, dtype=dtype))


def in_squares(
    images: jax.Array, rows: Taps, columns: Taps, *, dtype: DTypeLike, transform: ColourTransform
) -> jax.Array:
    """Products that return the pixels as (squares, positions inside a square) along each axis.

    On a TPU the input convolution first moves every pixel to another place in memory, which takes longer than
    all other processing of the image. In this layout it is one more product.
    """
    precision = jax.lax.Precision.HIGHEST if dtype == jnp.float32 else None
    product = functools.partial(jnp.einsum, precision=precision, preferred_element_type=jnp.float32)
    across, down = (
        jnp.asarray(taps.matrix().reshape(-1, SQUARE, taps.length), dtype) for taps in (columns, rows)
    )
    narrow = product("jqw,...hwc->...hqjc", across, images.astype(dtype)).astype(dtype)
    squares = product("iph,...hqjc->...ipjqc", down, transform(narrow)).astype(dtype)
    return squares.reshape(*images.shape[:-3], rows.size, columns.size, images.shape[-1])
