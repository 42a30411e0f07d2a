"""Depthwise convolutions on NHWC, padded as TensorFlow's SAME: the odd pixel goes to the end."""

from collections.abc import Callable, Iterable
from functools import partial

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.chunks import map_parts
from lipfd_jax.kernels.depthwise_gradient import compute_padding, kernel_gradient, pad_same, take_shifted
from lipfd_jax.kernels.dispatch import select_variant

_VALUES = 1 << 18  # of the images that a loop takes at once: they stay in a core's cache


def depthwise(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolves each channel of x (N, H, W, C) with its own kernel (k, k, 1, C) of the same dtype.

    Returns:
      (N, ceil(H / stride), ceil(W / stride), C).
    """
    variants: dict[str, Callable[..., jax.Array]] = {"plain": plain, "shifted_products": shifted_products}
    return variants[select_variant("depthwise")](x, kernel, stride)


def plain(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The definition."""
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def shifted_products(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """A sum over the kernel's pixels of shifted images: XLA's CPU code for groups takes three times as long.

    Gradients are such sums too, of the kernel by depthwise_gradient.
    """
    return _convolve(x, kernel, stride)


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    padded = pad_same(x, len(kernel), stride)
    height, width = (-(-side // stride) for side in x.shape[1:3])
    taps = [(row, column) for row in range(len(kernel)) for column in range(len(kernel))]
    return _sum(take_shifted(padded, *tap, stride, height, width) * kernel[*tap, 0] for tap in taps)


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple]:
    return _map_stored(lambda images: _convolve(images, kernel, stride), x), (x, kernel)


def _backward(stride: int, kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    of_kernel = kernel_gradient(x, gradient, len(kernel), stride).astype(kernel.dtype)
    return _map_stored(lambda part: _input_gradient(x.shape, kernel, stride, part), gradient), of_kernel


shifted_products.defvjp(_forward, _backward)


def _map_stored(function: Callable[[jax.Array], jax.Array], images: jax.Array) -> jax.Array:
    """Applies a function to images (N, H, W, C), a few at a time, and stores its results.

    The loop is what stores them: XLA's CPU code takes a sum of 25 products for cheap and repeats it in each
    operation that reads it, also behind a barrier. Gradients of a block took three times as long.
    """
    return map_parts(function, images, max(1, _VALUES // images[0].size))


def _sum(terms: Iterable[jax.Array]) -> jax.Array:
    first, *others = terms
    return sum(others, first)


def _input_gradient(shape: tuple[int, ...], kernel: jax.Array, stride: int, gradient: jax.Array) -> jax.Array:
    """Gradient of x: one sum for each of the stride x stride phases of its pixels, then interleaved."""
    height, width, channels = shape[1:]
    rows, columns = -(-height // stride), -(-width // stride)
    reach = (len(kernel) - 1) // stride
    gradient = jax.lax.optimization_barrier(
        jnp.pad(gradient, ((0, 0), (reach, reach + 1), (reach, reach + 1), (0, 0)))
    )

    def phase(row: int, column: int) -> jax.Array:
        """Pixel (stride * i + row) met the kernel's pixel t in result i + (row + padding - t) / stride."""
        taps = [_find_taps(*pair, len(kernel), stride) for pair in ((height, row), (width, column))]
        return _sum(
            take_shifted(gradient, up + reach, left + reach, 1, rows, columns) * kernel[i, j, 0]
            for i, up in taps[0]
            for j, left in taps[1]
        )

    if stride == 1:
        return phase(0, 0)
    phases = [[phase(row, column) for column in range(stride)] for row in range(stride)]
    whole = jnp.stack([jnp.stack(line, axis=3) for line in phases], axis=2)
    whole = whole.reshape(-1, rows * stride, columns * stride, channels)
    return whole[:, :height, :width]


def _find_taps(side: int, phase: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Returns pairs of a kernel's row and the shift of the results in which it met pixels of this phase."""
    shifts = [(tap, phase + compute_padding(side, size, stride)[0] - tap) for tap in range(size)]
    return [(tap, shift // stride) for tap, shift in shifts if shift % stride == 0]
