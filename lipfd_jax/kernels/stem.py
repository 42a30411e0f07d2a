"""ResNet stem: 7x7 convolution of stride 2, batch norm, ReLU, 3x3 max pool of stride 2."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.batch_statistics import Norm, batch_statistics
from lipfd_jax.kernels.channel_sums import affine
from lipfd_jax.kernels.convolution import convolution
from lipfd_jax.kernels.dispatch import select_variant
from lipfd_jax.kernels.max_pool import max_pool
from lipfd_jax.kernels.relu import relu


def stem(images: jax.Array, kernel: jax.Array, norm: Norm, *, train: bool) -> jax.Array:
    """Images (N, S, S, 3) and a kernel (7, 7, 3, channels) float32 to (N, S / 4, S / 4, channels)."""
    return {"plain": plain, "pool_first": pool_first}[select_variant("stem")](
        images, kernel, norm, train=train
    )


def plain(images: jax.Array, kernel: jax.Array, norm: Norm, *, train: bool) -> jax.Array:
    """The definition."""
    x = convolution(images, kernel.astype(images.dtype), 2)
    return max_pool(relu(norm(x, train=train)))


def pool_first(images: jax.Array, kernel: jax.Array, norm: Norm, *, train: bool) -> jax.Array:
    """Pools before the norm, which then has a quarter of the pixels.

    The largest pixels are still largest after the norm, or smallest where its scale is negative: the signs of
    those channels are flipped first.
    """
    signs = jnp.where(norm.scale[...] < 0, -1.0, 1.0)
    x = convolution(images, (kernel * signs).astype(images.dtype), 2)
    if train:
        mean, var = batch_statistics(x, norm.mean[...] * signs)
        scale, offset = norm.record(mean * signs, var, x.size // x.shape[-1])
    else:
        scale, offset = norm.coefficients()
    return relu(affine(max_pool(x), scale * signs, offset))
