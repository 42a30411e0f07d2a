"""Batch normalisation (arXiv 1502.03167) with PyTorch's semantics."""

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.kernels.batch_statistics import batch_statistics
from lipfd_jax.kernels.channel_sums import affine


class BatchNorm(nnx.Module):
    """Batch normalisation with an unbiased running variance.

    Statistics are float32 regardless of the activations' dtype. Under jit on a sharded batch they are those
    of the global batch.

    Args:
      channels: of the activations.
      epsilon: added to the variance.
      momentum: share of the batch's statistics in the updated running ones.
    """

    def __init__(self, channels: int, *, epsilon: float = 1e-5, momentum: float = 0.1):
        self.epsilon, self.momentum = epsilon, momentum
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))
        self.mean = nnx.BatchStat(jnp.zeros(channels))
        self.var = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Normalises x (N, H, W, channels); `train` uses and records the batch's statistics."""
        if train:
            mean, var = batch_statistics(x, self.mean[...])
            scale, offset = self.record(mean, var, x.size // x.shape[-1])
        else:
            scale, offset = self.coefficients()
        return affine(x, scale, offset)

    def coefficients(self) -> tuple[jax.Array, jax.Array]:
        """Returns scale and offset (channels,) float32 by the running statistics."""
        return self._affine(self.mean[...], self.var[...])

    def record(self, mean: jax.Array, var: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
        """Updates the running statistics with a batch's mean and biased variance over `count` pixels.

        Returns scale and offset by the batch's statistics.
        """
        unbiased = jax.lax.stop_gradient(var) * (count / max(count - 1, 1))
        kept = 1 - self.momentum
        self.mean[...] = kept * self.mean[...] + self.momentum * jax.lax.stop_gradient(mean)
        self.var[...] = kept * self.var[...] + self.momentum * unbiased
        return self._affine(mean, var)

    def _affine(self, mean: jax.Array, var: jax.Array) -> tuple[jax.Array, jax.Array]:
        scale = self.scale[...] * jax.lax.rsqrt(var + self.epsilon)
        return scale, self.bias[...] - mean * scale
