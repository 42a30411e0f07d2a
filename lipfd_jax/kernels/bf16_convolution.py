"""Convolutions of bfloat16 numbers with float32 sums, for CPUs that multiply such numbers."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.bf16_kernel_gradient import bf16_kernel_gradient
from lipfd_jax.kernels.bits import from_bits, to_bits
from lipfd_jax.kernels.chunks import map_parts
from lipfd_jax.kernels.dense import bf16_matmul, cast_result

_WIDE = 256  # input channels from which on a product for each pixel of the kernel is fastest
_CACHED_VALUES = (
    376_320  # numbers in the pictures that are worked on at a time: fifteen of 7x7x512, one of 56x56x64
)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def bfloat16(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """As sums of products of shifted pictures; the result as wide as x.

    A CPU takes as long for bfloat16 convolutions as for float32 ones, but half of it for such products, as
    long as the pictures stay in its cache. More of them, as in training, are taken a few at a time, and the
    result is then rounded to bfloat16.

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
    """`function` of pictures x as bfloat16; called for a few at a time, with bfloat16 results, where all
    would leave the cache."""
    x = x.astype(jnp.bfloat16)
    pictures = max(1, _CACHED_VALUES // x[0].size)
    if len(x) <= pictures:
        return function(x)
    return from_bits(
        map_parts(
            lambda part: to_bits(cast_result(function(from_bits(part)), jnp.bfloat16)), to_bits(x), pictures
        )
    )


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The convolution of bfloat16 pictures, float32."""
    size, *_, inputs, outputs = kernel.shape
    rows, columns = (-(-n // stride) for n in x.shape[1:3])
    x = jnp.pad(to_bits(x), ((0, 0), *[(size // 2,) * 2] * 2, (0, 0)))
    x = jax.lax.optimization_barrier(x)
    together = 1 if inputs >= _WIDE else size  # neighbours in a row whose channels make one product
    total = 0.0
    for j in range(0, size, together):
        columns_of = [_strided_slice(x, 2, j + n, columns, stride) for n in range(together)]
        neighbours = jax.lax.optimization_barrier(jnp.concatenate(columns_of, -1))
        for i in range(size):
            left = jax.lax.optimization_barrier(_strided_slice(neighbours, 1, i, rows, stride))
            total += bf16_matmul(from_bits(left), kernel[i, j : j + together].reshape(-1, outputs))
    return total


def _input_gradient(
    gradient: jax.Array, kernel: jax.Array, stride: int, height: int, width: int
) -> jax.Array:
    """Gradient (N, height, width, inputs) float32 of the pictures from the bfloat16 one of the result.

    Of the rows of a picture every `stride`-th has met the same rows of the kernel, of the columns likewise;
    so these phases of the picture are sums of products each of its own, and then are laid into each other.
    """
    if stride == 1:  # one phase: a convolution with the kernel turned round
        return _convolve(gradient, kernel[::-1, ::-1].swapaxes(2, 3), 1)
    met = [_rows_of_phase(phase, len(kernel), stride) for phase in range(stride)]
    before, after = (max(0, *(sign * shift for m in met for _, shift in m)) for sign in (-1, 1))
    x = jnp.pad(to_bits(gradient), ((0, 0), *[(before, after)] * 2, (0, 0)))
    x = jax.lax.optimization_barrier(x)
    rows, columns = gradient.shape[1:3]

    def product(i: int, down: int, j: int, right: int) -> jax.Array:
        part = _strided_slice(_strided_slice(x, 1, before + down, rows, 1), 2, before + right, columns, 1)
        return bf16_matmul(from_bits(jax.lax.optimization_barrier(part)), kernel[i, j].T)

    def phase(of_rows: list[tuple[int, int]], of_columns: list[tuple[int, int]]) -> jax.Array:
        zeros = jnp.zeros((*gradient.shape[:3], kernel.shape[2]), jnp.float32)
        return sum((product(*row, *column) for row in of_rows for column in of_columns), zeros)

    laid = jnp.stack([jnp.stack([phase(m, n) for n in met], 3) for m in met], 2)
    return laid.reshape(len(gradient), stride * rows, stride * columns, -1)[:, :height, :width]


def _rows_of_phase(phase: int, size: int, stride: int) -> list[tuple[int, int]]:
    """The kernel's rows that a phase of the picture's rows meets, and how far below lies the result's row."""
    rows = [(i, phase + size // 2 - i) for i in range(size)]
    return [(i, distance // stride) for i, distance in rows if distance % stride == 0]


def _strided_slice(x: jax.Array, axis: int, start: int, count: int, stride: int) -> jax.Array:
    return jax.lax.slice_in_dim(x, start, start + stride * (count - 1) + 1, stride, axis)
