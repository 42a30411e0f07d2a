"""Mean and variance of a batch's channels, for batch normalisation (arXiv 1502.03167)."""

from typing import Any, Protocol

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.channel_sums import channel_sums
from lipfd_jax.kernels.dispatch import select_variant


class Norm(Protocol):
    """What the operations that include a batch norm need of it."""

    scale: Any  # (channels,), learnt; read by [...]
    mean: Any  # (channels,), the running one

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Normalises x (N, H, W, channels)."""

    def coefficients(self) -> tuple[jax.Array, jax.Array]:
        """Factor and offset (channels,) float32 from the running statistics."""

    def record(self, mean: jax.Array, var: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
        """Factor and offset from the statistics of `count` pixels, which it notes."""


def batch_statistics(x: jax.Array, near: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and biased variance (C,) float32 of x (N, H, W, C); `near` (C,) is a guess of the mean."""
    return {"plain": plain, "one_pass": one_pass}[select_variant("batch_statistics")](x, near)


def plain(x: jax.Array, near: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The definition, which needs no guess."""
    x = x.astype(jnp.float32)
    return x.mean((0, 1, 2)), x.var((0, 1, 2))


def one_pass(x: jax.Array, near: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both sums in one pass over x; shifting by the guess keeps their difference exact enough."""
    shifted = x.astype(jnp.float32) - near
    count = x.size // x.shape[-1]
    first, second = channel_sums(shifted) / count, channel_sums(jnp.square(shifted)) / count
    return first + near, jnp.maximum(second - jnp.square(first), 0)
