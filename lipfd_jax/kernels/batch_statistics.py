"""Mean and variance per channel, for batch normalisation (arXiv 1502.03167)."""

from typing import Any, Protocol

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.channel_sums import channel_sums
from lipfd_jax.kernels.dispatch import select_variant


class Norm(Protocol):
    """Batch norm as the fused operations use it."""

    scale: Any  # (channels,), learned; read with [...]
    mean: Any  # (channels,), running mean

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Normalises x (N, H, W, channels)."""

    def coefficients(self) -> tuple[jax.Array, jax.Array]:
        """Returns scale and offset (channels,) float32 from the running statistics."""

    def record(self, mean: jax.Array, var: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
        """Updates the running statistics with those of `count` pixels; returns their scale and offset."""


def batch_statistics(x: jax.Array, near: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns mean and biased variance (C,) float32 of x (N, H, W, C); `near` (C,) estimates the mean."""
    return {"plain": plain, "one_pass": one_pass}[select_variant("batch_statistics")](x, near)


def plain(x: jax.Array, near: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The definition, which ignores the estimate."""
    x = x.astype(jnp.float32)
    return x.mean((0, 1, 2)), x.var((0, 1, 2))


def one_pass(x: jax.Array, near: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both sums in one pass over x; subtracting the estimate first keeps the variance exact enough."""
    shifted = x.astype(jnp.float32) - near
    count = x.size // x.shape[-1]
    first, second = channel_sums(shifted) / count, channel_sums(jnp.square(shifted)) / count
    return first + near, jnp.maximum(second - jnp.square(first), 0)
