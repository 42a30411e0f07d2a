"""1x1 convolutions on NHWC."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from lipfd_jax.kernels import bf16_convolution, convolution
from lipfd_jax.kernels.dispatch import select_variant
from lipfd_jax.kernels.kernel_gradient import kernel_gradient


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies x (N, H, W, inputs) by kernel (inputs, channels) of the same dtype."""
    variants: dict[str, Callable[..., jax.Array]] = {
        "plain": jnp.matmul,
        "kernel_products": kernel_products,
        "in_parts": in_parts,
        "convolution": as_convolution,
    }
    return variants[select_variant("product")](x, kernel)


def outer_products(x: jax.Array, y: jax.Array) -> jax.Array:
    """Sums over pixels the outer products of x (N, H, W, C) and y (N, H, W, D): (C, D) float32."""
    if select_variant("product") == "kernel_products":
        return kernel_gradient(x, y, 1, 1)[0, 0]
    return jnp.einsum("nhwc,nhwd->cd", x, y, preferred_element_type=jnp.float32)


def as_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A convolution: TPUs keep one memory layout through a chain of them, which a product would break."""
    return convolution.plain(x, kernel[None, None], 1)


def in_parts(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A bfloat16 convolution, which processes large batches a few images at a time."""
    return bf16_convolution.bfloat16(x, kernel[None, None], 1)


@jax.custom_vjp
def kernel_products(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Custom kernel gradient: XLA's CPU code would transpose all pixels of a batch before it multiplies."""
    return jnp.matmul(x, kernel)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple]:
    return kernel_products(x, kernel), (x, kernel)


def _backward(kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    return jnp.matmul(gradient, kernel.T), kernel_gradient(x, gradient, 1, 1)[0, 0].astype(kernel.dtype)


kernel_products.defvjp(_forward, _backward)
