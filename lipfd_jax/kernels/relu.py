"""ReLU and ReLU6, whose gradients are zero where they are cut off, as in PyTorch."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.dispatch import select_variant


def relu(x: jax.Array, *, readers: int = 1) -> jax.Array:
    """max(x, 0); `readers` is the number of operations that read the result."""
    chosen = select_variant("relu")
    if chosen == "plain":
        return jax.nn.relu(x)
    if chosen == "half_result":
        return half_result(x)
    return kept_result(x) if readers == 1 else shared_result(x)


@jax.custom_vjp
def kept_result(x: jax.Array) -> jax.Array:
    """Computes the gradient from the result, so that x need not be kept."""
    return jnp.maximum(x, 0)


kept_result.defvjp(lambda x: (kept_result(x),) * 2, lambda y, gradient: (jnp.where(y > 0, gradient, 0),))


@jax.custom_vjp
def shared_result(x: jax.Array) -> jax.Array:
    """`kept_result`, computed once for all readers, where XLA would keep x as well for some of them."""
    return jax.lax.optimization_barrier(kept_result(x))


shared_result.defvjp(lambda x: (shared_result(x),) * 2, lambda y, gradient: (jnp.where(y > 0, gradient, 0),))


@jax.custom_vjp
def half_result(x: jax.Array) -> jax.Array:
    """`shared_result`, stored in bfloat16, to which the products that read it round it anyway.

    Between products a CPU is limited by memory bandwidth, and this halves the traffic.
    """
    return jax.lax.optimization_barrier(jnp.maximum(x, 0).astype(jnp.bfloat16))


def _half_forward(x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y = half_result(x)
    return y, (y, jnp.zeros(0, x.dtype))


def _half_backward(kept: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array]:
    y, like = kept
    return (jnp.where(y > 0, gradient, 0).astype(like.dtype),)


half_result.defvjp(_half_forward, _half_backward)


@jax.custom_vjp
def relu6(x: jax.Array) -> jax.Array:
    """min(max(x, 0), 6); its gradient is computed from the result, so that x need not be kept."""
    return jnp.minimum(jnp.maximum(x, 0), 6)


relu6.defvjp(lambda x: (relu6(x),) * 2, lambda y, gradient: (jnp.where((y > 0) & (y < 6), gradient, 0),))
