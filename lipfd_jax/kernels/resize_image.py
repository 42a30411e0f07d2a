"""Resizing of the whole picture for the input convolution, which makes one pixel of each 5x5 square."""

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
    pictures: jax.Array, rows: Taps, columns: Taps, *, dtype: DTypeLike, coloured: ColourTransform
) -> jax.Array:
    """Resamples pictures (..., height, width, channels) to (..., rows.size, columns.size, channels).

    Args:
      pictures: uint8 or float.
      rows: taps of the height, to a multiple of 5.
      columns: taps of the width, to a multiple of 5.
      dtype: of the result.
      coloured: is applied to the result, on (..., channels); must commute with resizing.
    """
    function = {"plain": plain, "squares": in_squares}[select_variant("resize_image")]
    return function(pictures, rows, columns, dtype=dtype, coloured=coloured)


def plain(
    pictures: jax.Array, rows: Taps, columns: Taps, *, dtype: DTypeLike, coloured: ColourTransform
) -> jax.Array:
    """The definition."""
    return coloured(resize(pictures, rows, columns, dtype=dtype))


def in_squares(
    pictures: jax.Array, rows: Taps, columns: Taps, *, dtype: DTypeLike, coloured: ColourTransform
) -> jax.Array:
    """By products that deliver the pixels as (squares, positions inside a square) along each axis.

    On a TPU the input convolution first moves every pixel to another place in memory, which takes longer than
    all else that is done to the picture. Laid out like this, it is one more product.
    """
    precision = jax.lax.Precision.HIGHEST if dtype == jnp.float32 else None
    product = functools.partial(jnp.einsum, precision=precision, preferred_element_type=jnp.float32)
    across, down = (
        jnp.asarray(taps.matrix().reshape(-1, SQUARE, taps.length), dtype) for taps in (columns, rows)
    )
    narrow = product("jqw,...hwc->...hqjc", across, pictures.astype(dtype)).astype(dtype)
    squares = product("iph,...hqjc->...ipjqc", down, coloured(narrow)).astype(dtype)
    return squares.reshape(*pictures.shape[:-3], rows.size, columns.size, pictures.shape[-1])
