"""Kernel gradient of a depthwise convolution, a few images at a time."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.chunks import largest_divisor

_TERMS = 24  # rows of results that one fused sum adds up: they stay in a core's cache


def kernel_gradient(x: jax.Array, gradient: jax.Array, size: int, stride: int) -> jax.Array:
    """Gradient (size, size, 1, C) float32 of the kernel.

    Each kernel pixel has a sum (W, C) over images and rows, written out as additions of rows: XLA's own
    reductions over pixels do not use vector instructions. Columns are summed last. Kernel pixels take turns
    in a loop, since programs with a sum for each take four times as long to compile.

    Args:
      x: input of the convolution, (N, H, W, C).
      gradient: of the result, (N, ceil(H / stride), ceil(W / stride), C).
      size: of the kernel.
      stride: of the convolution.
    """
    count, height, width, channels = gradient.shape
    rows = largest_divisor(height, _TERMS)
    images = largest_divisor(count, max(1, _TERMS // height))
    sizes = (images, stride * (rows - 1) + 1, stride * (width - 1) + 1, channels)
    taps = jnp.array([(row, column) for row in range(size) for column in range(size)])

    def add_images(totals: jax.Array, pair: list[jax.Array]) -> tuple[jax.Array, None]:
        x, gradient = pad_same(pair[0], size, stride), pair[1]

        def add_tap(_: None, given: tuple[jax.Array, jax.Array]) -> tuple[None, jax.Array]:
            total, (row, column) = given
            for first in range(0, height, rows):
                met = jax.lax.dynamic_slice(x, (0, row + first * stride, column, 0), sizes)
                terms = met[:, ::stride, ::stride] * gradient[:, first : first + rows]
                for term in terms.astype(jnp.float32).reshape(-1, width, channels):
                    total = total + term
            return None, total

        return jax.lax.scan(add_tap, None, (totals, taps))[1], None

    parts = [a.reshape(-1, images, *a.shape[1:]) for a in (x, gradient)]
    totals, _ = jax.lax.scan(add_images, jnp.zeros((size**2, width, channels), jnp.float32), parts)
    return totals.sum(1).reshape(size, size, 1, channels)


def compute_padding(side: int, size: int, stride: int) -> tuple[int, int]:
    """Returns the pixels before and after a side with TensorFlow's SAME padding."""
    total = max((-(-side // stride) - 1) * stride + size - side, 0)
    return total // 2, total - total // 2


def pad_same(x: jax.Array, size: int, stride: int) -> jax.Array:
    """Pads images (N, H, W, C); stored, or each shifted read would test whether it is inside."""
    pads = [(0, 0), *(compute_padding(side, size, stride) for side in x.shape[1:3]), (0, 0)]
    return jax.lax.optimization_barrier(jnp.pad(x, pads))


def take_shifted(x: jax.Array, row: int, column: int, stride: int, height: int, width: int) -> jax.Array:
    """Returns every stride-th pixel from (row, column) on: (N, height, width, C)."""
    rows = slice(row, row + stride * (height - 1) + 1, stride)
    return x[:, rows, slice(column, column + stride * (width - 1) + 1, stride)]
