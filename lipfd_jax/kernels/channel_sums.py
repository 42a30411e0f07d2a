"""Sums over the pixels of a batch, as in batch norms and their gradients."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.dispatch import select_variant


def channel_sums(x: jax.Array) -> jax.Array:
    """Sums (N, H, W, C) float32 to (C,)."""
    variants: dict[str, Callable[..., jax.Array]] = {"plain": plain, "halves": halves}
    return variants[select_variant("channel_sums")](x)


def plain(x: jax.Array) -> jax.Array:
    """The definition."""
    return x.sum((0, 1, 2))


@jax.custom_vjp
def halves(x: jax.Array) -> jax.Array:
    """Adds the second half of the pixels to the first for as long as their number is even.

    XLA's CPU code sums one channel after another and reads memory once per channel of a cache line, which
    takes five to twenty times as long. Rounding errors are smaller too.
    """
    x = x.reshape(-1, x.shape[-1])
    while len(x) % 2 == 0:
        x = x[: len(x) // 2] + x[len(x) // 2 :]
    return x.sum(0)


def _forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return halves(x), jnp.zeros((*x.shape[:3], 0), x.dtype)


def _backward(like: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    return (jnp.broadcast_to(gradient, (*like.shape[:3], len(gradient))),)


halves.defvjp(_forward, _backward)


def affine(x: jax.Array, scale: jax.Array, offset: jax.Array) -> jax.Array:
    """Returns x (N, H, W, C) times scale (C,) plus offset (C,), computed in float32, in the dtype of x."""
    variants: dict[str, Callable[..., jax.Array]] = {"plain": _affine, "halves": summed_affine}
    return variants[select_variant("channel_sums")](x, scale, offset)


def _affine(x: jax.Array, scale: jax.Array, offset: jax.Array) -> jax.Array:
    return (x.astype(jnp.float32) * scale + offset).astype(x.dtype)


@jax.custom_vjp
def summed_affine(x: jax.Array, scale: jax.Array, offset: jax.Array) -> jax.Array:
    """Custom gradient: sums over pixels for scale and offset, where JAX would not use `channel_sums`."""
    return _affine(x, scale, offset)


def _affine_forward(x: jax.Array, scale: jax.Array, offset: jax.Array) -> tuple[jax.Array, tuple]:
    return _affine(x, scale, offset), (x, scale)


def _affine_backward(kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, scale = kept
    wide = gradient.astype(jnp.float32)
    of_scale = channel_sums(wide * x.astype(jnp.float32))
    return (wide * scale).astype(x.dtype), of_scale, channel_sums(wide)


summed_affine.defvjp(_affine_forward, _affine_backward)
