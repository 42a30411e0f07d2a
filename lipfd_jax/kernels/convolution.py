"""Convolutions on NHWC, padded by half the kernel as in PyTorch."""

from collections.abc import Callable
from functools import partial

import jax

from lipfd_jax.kernels import bf16_convolution
from lipfd_jax.kernels.dispatch import select_variant
from lipfd_jax.kernels.kernel_gradient import kernel_gradient

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolves x (N, H, W, inputs) with kernel (k, k, inputs, outputs) of the same dtype."""
    variants: dict[str, Callable[..., jax.Array]] = {
        "plain": plain,
        "kernel_products": kernel_products,
        "bfloat16": bfloat16,
    }
    return variants[select_variant("convolution")](x, kernel, stride)


def plain(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The definition."""
    padding = [(len(kernel) // 2,) * 2] * 2
    return jax.lax.conv_general_dilated(x, kernel, (stride,) * 2, padding, dimension_numbers=_DIMENSIONS)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def kernel_products(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Kernel gradient as a sum of matrix products: on one CPU XLA's own takes two to four times as long."""
    return plain(x, kernel, stride)


def _forward(x: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple]:
    return plain(x, kernel, stride), (x, kernel)


def _backward(stride: int, kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    _, transposed = jax.vjp(lambda x: plain(x, kernel, stride), x)
    return transposed(gradient)[0], kernel_gradient(x, gradient, len(kernel), stride).astype(kernel.dtype)


kernel_products.defvjp(_forward, _backward)


def bfloat16(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Rounds operands to bfloat16, sums in float32; except in the stem (3 channels), where that is slower."""
    chosen = kernel_products if x.shape[-1] == 3 else bf16_convolution.bfloat16
    return chosen(x, kernel, stride)
