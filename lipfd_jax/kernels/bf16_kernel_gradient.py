"""Kernel gradient of bfloat16 convolutions, as a sum of matrix products."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.bits import from_bits, to_bits
from lipfd_jax.kernels.chunks import largest_divisor

_CACHED_VALUES = 150_528  # values in the images processed at a time: three of 14x14x256


def bf16_kernel_gradient(x: jax.Array, gradient: jax.Array, size: int, stride: int) -> jax.Array:
    """As `kernel_gradient`, but transposes the images: bfloat16 products with a transposed gradient, which
    has only as many rows as the result has channels, run at two thirds of the rate.

    Args:
      x: input of the convolution, (N, H, W, inputs).
      gradient: of the result, (N, H / stride, W / stride, outputs), same dtype; sums are float32.
      size: of the kernel.
      stride: of the convolution.
    """
    images = largest_divisor(len(x), max(1, _CACHED_VALUES // x[0].size))
    height, width = gradient.shape[1:3]

    def add(total: jax.Array, piece: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        pixels = from_bits(piece[1], gradient.dtype).reshape(-1, gradient.shape[-1])
        rows = _transposed_patches(piece[0], x.dtype, size, stride, (height, width))
        found = [jnp.matmul(row, pixels, preferred_element_type=jnp.float32) for row in rows]
        return total + jnp.stack(found).reshape(total.shape), None

    zeros = jnp.zeros((size, size, x.shape[-1], gradient.shape[-1]), jnp.float32)
    cut = [to_bits(a).reshape(-1, images, *a.shape[1:]) for a in (x, gradient)]
    return jax.lax.scan(add, zeros, tuple(cut))[0]


def _transposed_patches(
    x: jax.Array, dtype: jax.typing.DTypeLike, size: int, stride: int, result: tuple[int, int]
) -> list[jax.Array]:
    """For each kernel row the pixels its weights meet, (size * inputs, N * H * W of the result).

    Transposed before the products, as a CPU is slow at transposing its left operand; and in a shape for which
    XLA does not choose a transposed layout, which would cost the same.
    """
    rows, columns = result
    below = -(x.shape[1] + size // 2 * 2) % stride
    x = jnp.pad(x, ((0, 0), (size // 2, size // 2 + below), (size // 2,) * 2, (0, 0)))
    x = jax.lax.optimization_barrier(x)
    columns_of = [x[:, :, j : j + stride * (columns - 1) + 1 : stride] for j in range(size)]
    neighbours = from_bits(jax.lax.optimization_barrier(jnp.concatenate(columns_of, -1)), dtype)
    phases = neighbours.reshape(len(x), -1, stride, columns, neighbours.shape[-1]).transpose(4, 0, 2, 1, 3)
    transposed = jax.lax.optimization_barrier(phases.reshape(neighbours.shape[-1], len(x), stride, -1))
    starts = [i // stride * columns for i in range(size)]
    parts = [transposed[:, :, i % stride, s : s + rows * columns] for i, s in enumerate(starts)]
    return [part.reshape(len(transposed), -1) for part in parts]
