"""1x1 convolution followed by batch normalisation."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.batch_statistics import Norm
from lipfd_jax.kernels.channel_sums import affine, channel_sums
from lipfd_jax.kernels.dispatch import select_variant
from lipfd_jax.kernels.product import outer_products, product


def normed_product(x: jax.Array, kernel: jax.Array, norm: Norm, *, train: bool) -> jax.Array:
    """Applies `norm` to x @ kernel, for x (N, H, W, inputs) and kernel (inputs, channels) float32."""
    function = {"plain": plain, "moments": by_moments}[select_variant("normed_product")] if train else plain
    return function(x, kernel, norm, train=train)


def plain(x: jax.Array, kernel: jax.Array, norm: Norm, *, train: bool) -> jax.Array:
    """The definition."""
    return norm(product(x, kernel.astype(x.dtype)), train=train)


def by_moments(x: jax.Array, kernel: jax.Array, norm: Norm, *, train: bool) -> jax.Array:
    """Folds the norm into the kernel, in training.

    The product of the whole batch would be needed twice, for its statistics and for the result, and again for
    gradients: four times the memory of x in a bottleneck. Its statistics also follow from the means and
    second moments of x, a small matrix, and the normalised result from a kernel scaled by the norm; so
    nothing that large is kept or read again, forward or backward.
    """
    count = x.size // x.shape[-1]
    first, second = (moment / count for moment in moments(x))
    covariance = second - first[:, None] * first
    var = jnp.maximum(jnp.sum(kernel * (covariance @ kernel), axis=0), 0)
    scale, offset = norm.record(first @ kernel, var, count)
    return affine(product(x, (kernel * scale).astype(x.dtype)), jnp.ones_like(offset), offset)


@jax.custom_vjp
def moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sums over x (N, H, W, C) of its vectors (C,) and of their outer products (C, C), float32."""
    return channel_sums(x.astype(jnp.float32)), outer_products(x, x)


def _moments_forward(x: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    return moments(x), x


def _moments_backward(x: jax.Array, gradients: tuple[jax.Array, jax.Array]) -> tuple[jax.Array]:
    first, second = (
        gradients  # both triangles of a symmetric matrix at once, which JAX's own gradient does not do
    )
    return ((product(x, (second + second.T).astype(x.dtype)).astype(jnp.float32) + first).astype(x.dtype),)


moments.defvjp(_moments_forward, _moments_backward)
