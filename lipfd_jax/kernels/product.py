"""1x1 convolutions on NHWC."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels import convolution, dense
from lipfd_jax.kernels.choice import variant


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x (N, H, W, inputs) times kernel (inputs, channels) of one dtype."""
    variants = {"plain": jnp.matmul, "bfloat16": dense.bfloat16, "convolution": as_convolution}
    return variants[variant("product")](x, kernel)


def as_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """TPUs keep one memory layout through a chain of convolutions, which a product would break."""
    return convolution.plain(x, kernel[None, None], 1)
