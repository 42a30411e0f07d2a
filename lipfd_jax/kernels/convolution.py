"""Convolutions on NHWC, padded by half of the kernel as in PyTorch."""

from functools import partial

import jax

from lipfd_jax.kernels import bf16_convolution
from lipfd_jax.kernels.dispatch import select_variant
from lipfd_jax.kernels.kernel_gradient import kernel_gradient

_NUMBERS = ("NHWC", "HWIO", "NHWC")


def convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """x (N, H, W, inputs) with kernel (k, k, inputs, outputs) of one dtype."""
    variants = {"plain": plain, "kernel_products": kernel_products, "bfloat16": bfloat16}
    return variants[select_variant("convolution")](x, kernel, stride)


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
    return transposed(gradient)[0], kernel_gradient(x, gradient, len(kernel), stride).astype(kernel.dtype)


kernel_products.defvjp(_forward, _backward)


def bfloat16(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Of numbers rounded to bfloat16, with float32 sums; but for the stem, where it is slower."""
    chosen = kernel_products if x.shape[-1] == 3 else bf16_convolution.bfloat16
    return chosen(x, kernel, stride)
