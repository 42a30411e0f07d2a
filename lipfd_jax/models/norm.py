"""Batch normalisation with PyTorch's semantics, alone and after a 1x1 convolution."""

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.kernels.convolution import product

_EPSILON = 1e-5


class BatchNorm(nnx.Module):
    """Batch normalisation: eps 1e-5, momentum 0.1, unbiased running variance.

    Statistics are float32 whatever the activations are. Under jit on a sharded batch they are those of the
    global batch.
    """

    def __init__(self, channels: int):
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))
        self.mean = nnx.BatchStat(jnp.zeros(channels))
        self.var = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Normalises x (N, H, W, channels); `train` uses and records the batch's statistics."""
        scale, offset = self.coefficients(x, train=train)
        return (x.astype(jnp.float32) * scale + offset).astype(x.dtype)

    def coefficients(
        self, x: jax.Array, *, train: bool, signs: jax.Array | float = 1.0
    ) -> tuple[jax.Array, jax.Array]:
        """What x (N, H, W, channels) is multiplied by and what is added then, (channels,) float32.

        Args:
          x: the input times `signs`.
          train: as above.
          signs: 1 or -1 for each channel.
        """
        if train:
            # Both sums in one pass over x; shifting by the running mean keeps their difference exact enough.
            shift = self.mean[...] * signs
            shifted = x.astype(jnp.float32) - shift
            first = shifted.mean((0, 1, 2))
            var = jnp.maximum(jnp.square(shifted).mean((0, 1, 2)) - jnp.square(first), 0)
            scale, offset = self._recorded((first + shift) * signs, var, x.size // x.shape[-1])
        else:
            scale, offset = self._affine(self.mean[...], self.var[...])
        return scale * signs, offset

    def of_product(self, x: jax.Array, kernel: jax.Array, *, train: bool) -> jax.Array:
        """Normalises x @ kernel, where x is (N, H, W, inputs) and kernel (inputs, channels) float32.

        In training the product of the whole batch is needed twice, for its statistics and for the result,
        and again for gradients: four times the memory of x in a bottleneck. Its statistics also follow from
        the means and the second moments of x, a small matrix, and the norm itself then from a kernel that
        includes it; so nothing that large is kept or read again, forward or backward.
        """
        if not train:
            return self(product(x, kernel.astype(x.dtype)), train=False)
        count = x.size // x.shape[-1]
        first, second = (moment / count for moment in moments(x))
        covariance = second - first[:, None] * first
        var = jnp.maximum(jnp.sum(kernel * (covariance @ kernel), axis=0), 0)
        scale, offset = self._recorded(first @ kernel, var, count)
        return (product(x, (kernel * scale).astype(x.dtype)).astype(jnp.float32) + offset).astype(x.dtype)

    def _recorded(self, mean: jax.Array, var: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
        unbiased = jax.lax.stop_gradient(var) * (count / max(count - 1, 1))
        self.mean[...] = 0.9 * self.mean[...] + 0.1 * jax.lax.stop_gradient(mean)
        self.var[...] = 0.9 * self.var[...] + 0.1 * unbiased
        return self._affine(mean, var)

    def _affine(self, mean: jax.Array, var: jax.Array) -> tuple[jax.Array, jax.Array]:
        scale = self.scale[...] * jax.lax.rsqrt(var + _EPSILON)
        return scale, self.bias[...] - mean * scale


@jax.custom_vjp
def moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sums over x (N, H, W, C) of its vectors (C,) and of their outer products (C, C), float32."""
    second = jnp.einsum("nhwc,nhwd->cd", x, x, preferred_element_type=jnp.float32)
    return x.astype(jnp.float32).sum((0, 1, 2)), second


def _moments_forward(x: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    return moments(x), x


def _moments_backward(x: jax.Array, gradients: tuple[jax.Array, jax.Array]) -> tuple[jax.Array]:
    first, second = gradients  # both halves of a symmetric matrix at once, which JAX does not find itself
    return ((product(x, (second + second.T).astype(x.dtype)).astype(jnp.float32) + first).astype(x.dtype),)


moments.defvjp(_moments_forward, _moments_backward)
