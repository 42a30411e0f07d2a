"""Convolutions on NHWC, padded by half of the kernel as in PyTorch."""

from functools import partial

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.choice import variant
from lipfd_jax.kernels.chunks import largest_divisor
from lipfd_jax.kernels.dense import as_wide, half_matmul

_NUMBERS = ("NHWC", "HWIO", "NHWC")
_PICTURES = 2  # whose kernel gradient is computed at a time, in a CPU's cache
_WIDE = 256  # input channels from which on a product for each pixel of the kernel is fastest


def convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """x (N, H, W, inputs) with kernel (k, k, inputs, outputs) of one dtype."""
    variants = {"plain": plain, "kernel_products": kernel_products, "bfloat16": bfloat16}
    return variants[variant("convolution")](x, kernel, stride)


def plain(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The definition."""
    padding = [(len(kernel) // 2,) * 2] * 2
    return jax.lax.conv_general_dilated(x, kernel, (stride,) * 2, padding, dimension_numbers=_NUMBERS)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def kernel_products(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The kernel's gradient is a sum of matrix products: on a lone CPU XLA's own takes two to four times."""
    return plain(x, kernel, stride)


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple]:
    return plain(x, kernel, stride), (x, kernel)


def _backward(stride: int, kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    _, transposed = jax.vjp(lambda x: plain(x, kernel, stride), x)
    return transposed(gradient)[0], _kernel_gradient(x, gradient, len(kernel), stride).astype(kernel.dtype)


kernel_products.defvjp(_forward, _backward)


def _kernel_gradient(x: jax.Array, gradient: jax.Array, size: int, stride: int) -> jax.Array:
    """Gradient (size, size, inputs, outputs) float32 from that of the result, a few pictures at a time."""
    pictures = largest_divisor(len(x), _PICTURES)
    rows, columns = (stride * (n - 1) + 1 for n in gradient.shape[1:3])

    def add(total: jax.Array, piece: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        x, gradient = piece
        x = jnp.pad(x, ((0, 0), *[(size // 2,) * 2] * 2, (0, 0)))
        gradient = gradient.reshape(-1, gradient.shape[-1])

        def row(i: int) -> jax.Array:
            shifted = [x[:, i : i + rows : stride, j : j + columns : stride] for j in range(size)]
            # Turned before the product: a CPU's is slow where it has to turn its left side itself.
            left = jax.lax.optimization_barrier(jnp.concatenate(shifted, -1).reshape(len(gradient), -1).T)
            return jnp.matmul(left, gradient, preferred_element_type=jnp.float32)

        found = jnp.stack([row(i) for i in range(size)])
        return total + found.reshape(total.shape), None

    zeros = jnp.zeros((size, size, x.shape[-1], gradient.shape[-1]), jnp.float32)
    cut = [a.reshape(-1, pictures, *a.shape[1:]) for a in (x, gradient)]
    return jax.lax.scan(add, zeros, tuple(cut))[0]


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def bfloat16(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """As sums of products of shifted pictures, in bfloat16 with float32 sums; the result as wide as x.

    A CPU takes as long for bfloat16 convolutions as for float32 ones, but half of it for such products. With
    few input channels, as in the stem, it does not.
    """
    return as_wide(_of_shifted(x, kernel, stride), x.dtype) if x.shape[-1] > 3 else plain(x, kernel, stride)


def _of_shifted(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    size, *_, inputs, outputs = kernel.shape
    rows, columns = (-(-n // stride) for n in x.shape[1:3])
    x = jnp.pad(x.astype(jnp.bfloat16), ((0, 0), *[(size // 2,) * 2] * 2, (0, 0)))
    together = 1 if inputs >= _WIDE else size  # neighbours in a row whose channels make one product
    total = 0.0
    for j in range(0, size, together):
        columns_of = [_every(x, 2, j + n, columns, stride) for n in range(together)]
        neighbours = jax.lax.optimization_barrier(jnp.concatenate(columns_of, -1))
        for i in range(size):
            right = kernel[i, j : j + together].reshape(-1, outputs)
            total += half_matmul(_every(neighbours, 1, i, rows, stride), right)
    return total


def _every(x: jax.Array, axis: int, start: int, count: int, stride: int) -> jax.Array:
    return jax.lax.slice_in_dim(x, start, start + stride * (count - 1) + 1, stride, axis)


def _half_forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple]:
    return bfloat16(x, kernel, stride), (x, kernel)


def _half_backward(stride: int, kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    if stride == 1:  # a convolution with the kernel turned round
        of_x = as_wide(_of_shifted(gradient, kernel[::-1, ::-1].swapaxes(2, 3), 1), x.dtype)
    else:
        of_x = jax.vjp(lambda x: plain(x, kernel, stride), x)[1](gradient)[0]
    halves = (a.astype(jnp.bfloat16) for a in (x, gradient))
    return of_x, as_wide(_kernel_gradient(*halves, len(kernel), stride), kernel.dtype)


bfloat16.defvjp(_half_forward, _half_backward)
