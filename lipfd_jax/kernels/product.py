"""1x1 convolutions on NHWC."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels import convolution, half_convolution
from lipfd_jax.kernels.choice import variant


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x (N, H, W, inputs) times kernel (inputs, channels) of one dtype."""
    variants = {"plain": jnp.matmul, "in_parts": in_parts, "convolution": as_convolution}
    return variants[variant("product")](x, kernel)


def as_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """TPUs keep one memory layout through a chain of convolutions, which a product would break."""
    return convolution.plain(x, kernel[None, None], 1)


def in_parts(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As a convolution of bfloat16 numbers, which takes many pictures a few at a time."""
    return half_convolution.bfloat16(x, kernel[None, None], 1)
