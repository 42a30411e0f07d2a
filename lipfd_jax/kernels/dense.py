"""Matrix products of linear layers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.dispatch import select_variant


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies x (..., inputs) by kernel (inputs, outputs)."""
    variants: dict[str, Callable[..., jax.Array]] = {"plain": jnp.matmul, "bfloat16": bfloat16}
    return variants[select_variant("dense")](x, kernel)


def dot_general(x: jax.Array, kernel: jax.Array, dimensions: Any, **options: Any) -> jax.Array:
    """`dense` with the signature that nnx.Linear calls."""
    if select_variant("dense") == "plain":
        return jax.lax.dot_general(x, kernel, dimensions, **options)
    return dense(x, kernel)


@jax.custom_vjp
def bfloat16(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Rounds operands to bfloat16, sums in float32; the result and gradients have the dtype of x.

    CPUs with bfloat16 instructions take half the time, but only if XLA sees a float32 result: for a bfloat16
    result it widens the operands first.
    """
    return cast_result(bf16_matmul(x, kernel), x.dtype)


def bf16_matmul(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """jnp.matmul of operands rounded to bfloat16, with float32 sums and result."""
    half = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    return jnp.matmul(*half, preferred_element_type=jnp.float32)


def cast_result(result: jax.Array, dtype: jax.typing.DTypeLike) -> jax.Array:
    """Casts a float32 result, behind a barrier that keeps XLA from moving the cast into the product."""
    return result if dtype == jnp.float32 else jax.lax.optimization_barrier(result).astype(dtype)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple]:
    half = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    return bfloat16(x, kernel), (*half, jnp.zeros(0, x.dtype), jnp.zeros(0, kernel.dtype))


def _backward(kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel, like_x, like_kernel = kept
    pixels = gradient.reshape(-1, gradient.shape[-1])
    of_kernel = bf16_matmul(x.reshape(-1, x.shape[-1]).T, pixels)
    of_x = bf16_matmul(gradient, kernel.T)
    return cast_result(of_x, like_x.dtype), cast_result(of_kernel, like_kernel.dtype)


bfloat16.defvjp(_forward, _backward)
