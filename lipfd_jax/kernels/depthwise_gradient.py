"""Kernel gradient of a depthwise convolution, a few images at a time."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.chunks import largest_divisor

_TERMS = 16  # rows of results that one fused sum adds up: they stay in a core's cache


def kernel_gradient(x: jax.Array, gradient: jax.Array, size: int, stride: int) -> jax.Array:
    """Gradient (size, size, 1, C) float32 of the kernel.

    Each kernel pixel has a sum (W, C) over images and rows, written out as additions of rows: XLA's own
    reductions over pixels do not use vector instructions. Columns are summed last.

    Args:
      x: input of the convolution, (N, H, W, C).
      gradient: of the result, (N, ceil(H / stride), ceil(W / stride), C).
      size: of the kernel.
      stride: of the convolution.
    """
    count, height, width, channels = gradient.shape
    rows = largest_divisor(height, _TERMS)
    images = largest_divisor(count, max(1, _TERMS // height))
    taps = [(row, column) for row in range(size) for column in range(size)]

    def add_rows(totals: list[jax.Array], x: jax.Array, gradient: jax.Array) -> list[jax.Array]:
        found = []
        for total, tap in zip(totals, taps, strict=True):
            shifted = take_shifted(x, *tap, stride, rows, width)
            for image in range(images):
                for row in range(rows):
                    total = total + (shifted[image, row] * gradient[image, row]).astype(jnp.float32)
            found.append(total)
        return found

    def add_images(totals: list[jax.Array], pair: list[jax.Array]) -> tuple[list[jax.Array], None]:
        x, gradient = pad_same(pair[0], size, stride), pair[1]

        def add_block(totals: list[jax.Array], block: jax.Array) -> tuple[list[jax.Array], None]:
            taken = stride * (rows - 1) + size
            above = jax.lax.dynamic_slice_in_dim(gradient, block * rows, rows, 1)
            return add_rows(
                totals, jax.lax.dynamic_slice_in_dim(x, block * rows * stride, taken, 1), above
            ), None

        if rows == height:
            return add_rows(totals, x, gradient), None
        return jax.lax.scan(add_block, totals, jnp.arange(height // rows))

    parts = [a.reshape(-1, images, *a.shape[1:]) for a in (x, gradient)]
    zeros = [jnp.zeros((width, channels), jnp.float32) for _ in taps]
    totals, _ = jax.lax.scan(add_images, zeros, parts)
    return jnp.stack([total.sum(0) for total in totals]).reshape(size, size, 1, channels)


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
