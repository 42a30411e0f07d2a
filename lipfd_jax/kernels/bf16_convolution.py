"""Convolutions in bfloat16 with float32 sums, for CPUs with bfloat16 products."""

from collections.abc import Callable
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.bf16_kernel_gradient import bf16_kernel_gradient
from lipfd_jax.kernels.bits import from_bits, to_bits
from lipfd_jax.kernels.chunks import map_parts
from lipfd_jax.kernels.dense import bf16_matmul, cast_result

_WIDE = 256  # from this many input channels one product per kernel pixel is fastest
_CACHED_VALUES = 376_320  # values in the images processed at once: fifteen of 7x7x512, one of 56x56x64


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def bfloat16(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolution as a sum of products of shifted images; the result has the dtype of x.

    A CPU takes as long for a bfloat16 convolution as for a float32 one, but half of it for such products, as
    long as the images stay in its cache. Larger batches, as in training, are processed a few images at a
    time, and the result is then rounded to bfloat16.

    Args:
      x: (N, H, W, inputs).
      kernel: (k, k, inputs, outputs).
      stride: of the convolution.
    """
    return _cast(_map_images(lambda part: _convolve(part, kernel, stride), x), x.dtype)


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple]:
    x_like, kernel_like = jnp.zeros(0, x.dtype), jnp.zeros(0, kernel.dtype)
    kept = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16), x_like, kernel_like
    return bfloat16(x, kernel, stride), kept


def _backward(stride: int, kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel, x_like, kernel_like = kept
    gradient = gradient.astype(jnp.bfloat16)
    of_kernel = bf16_kernel_gradient(x, gradient, len(kernel), stride).astype(kernel_like.dtype)
    of_x = _map_images(lambda part: _input_gradient(part, kernel, stride, *x.shape[1:3]), gradient)
    return _cast(of_x, x_like.dtype), of_kernel


bfloat16.defvjp(_forward, _backward)


def _cast(result: jax.Array, dtype: jax.typing.DTypeLike) -> jax.Array:
    return cast_result(result, dtype) if result.dtype == jnp.float32 else result.astype(dtype)


def _map_images(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Applies `function` to images x as bfloat16: a few at a time, with bfloat16 results, if the batch
    exceeds the cache.
    """
    x = x.astype(jnp.bfloat16)
    images = max(1, _CACHED_VALUES // x[0].size)
    if len(x) <= images:
        return function(x)
    return from_bits(
        map_parts(
            lambda part: to_bits(cast_result(function(from_bits(part)), jnp.bfloat16)), to_bits(x), images
        )
    )


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolves bfloat16 images; returns float32."""
    size, *_, inputs, outputs = kernel.shape
    rows, columns = (-(-n // stride) for n in x.shape[1:3])
    x = jnp.pad(to_bits(x), ((0, 0), *[(size // 2,) * 2] * 2, (0, 0)))
    x = jax.lax.optimization_barrier(x)
    together = 1 if inputs >= _WIDE else size  # neighbours in a row whose channels share one product
    total = 0.0
    for j in range(0, size, together):
        columns_of = [_strided_slice(x, 2, j + n, columns, stride) for n in range(together)]
        neighbours = jax.lax.optimization_barrier(jnp.concatenate(columns_of, -1))
        for i in range(size):
            left = jax.lax.optimization_barrier(_strided_slice(neighbours, 1, i, rows, stride))
            total += bf16_matmul(from_bits(left), kernel[i, j : j + together].reshape(-1, outputs))
    return cast(jax.Array, total)


def _input_gradient(
    gradient: jax.Array, kernel: jax.Array, stride: int, height: int, width: int
) -> jax.Array:
    """Gradient (N, height, width, inputs) float32 of the input, from the bfloat16 gradient of the result.

    Every `stride`-th row of the input meets the same rows of the kernel, and likewise columns. Each of these
    phases of the input is its own sum of products; the phases are then interleaved.
    """
    if stride == 1:  # one phase: a convolution with the flipped kernel
        return _convolve(gradient, kernel[::-1, ::-1].swapaxes(2, 3), 1)
    phases = [_rows_of_phase(phase, len(kernel), stride) for phase in range(stride)]
    before, after = (max(0, *(sign * shift for m in phases for _, shift in m)) for sign in (-1, 1))
    x = jnp.pad(to_bits(gradient), ((0, 0), *[(before, after)] * 2, (0, 0)))
    x = jax.lax.optimization_barrier(x)
    rows, columns = gradient.shape[1:3]

    def product(i: int, down: int, j: int, right: int) -> jax.Array:
        part = _strided_slice(_strided_slice(x, 1, before + down, rows, 1), 2, before + right, columns, 1)
        return bf16_matmul(from_bits(jax.lax.optimization_barrier(part)), kernel[i, j].T)

    def phase(of_rows: list[tuple[int, int]], of_columns: list[tuple[int, int]]) -> jax.Array:
        zeros = jnp.zeros((*gradient.shape[:3], kernel.shape[2]), jnp.float32)
        return sum((product(*row, *column) for row in of_rows for column in of_columns), zeros)

    interleaved = jnp.stack([jnp.stack([phase(m, n) for n in phases], 3) for m in phases], 2)
    return interleaved.reshape(len(gradient), stride * rows, stride * columns, -1)[:, :height, :width]


def _rows_of_phase(phase: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Returns (kernel row, shift) pairs: the kernel rows that meet a phase of the input rows, and how many
    rows below it the result's row is.
    """
    rows = [(i, phase + size // 2 - i) for i in range(size)]
    return [(i, distance // stride) for i, distance in rows if distance % stride == 0]


def _strided_slice(x: jax.Array, axis: int, start: int, count: int, stride: int) -> jax.Array:
    return jax.lax.slice_in_dim(x, start, start + stride * (count - 1) + 1, stride, axis)
