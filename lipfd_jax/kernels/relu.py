"""max(x, 0), whose gradient is zero at zero as in PyTorch."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.choice import variant


def relu(x: jax.Array, *, readers: int = 1) -> jax.Array:
    """max(x, 0); `readers` says how many operations take the result."""
    if variant("relu") == "plain":
        return jax.nn.relu(x)
    return kept_result(x) if readers == 1 else shared_result(x)


@jax.custom_vjp
def kept_result(x: jax.Array) -> jax.Array:
    """The gradient looks at the result, so that x itself need not be kept."""
    return jnp.maximum(x, 0)


kept_result.defvjp(lambda x: (kept_result(x),) * 2, lambda y, gradient: (jnp.where(y > 0, gradient, 0),))


@jax.custom_vjp
def shared_result(x: jax.Array) -> jax.Array:
    """As `kept_result`, computed once for all readers, where XLA would keep x as well for some."""
    return jax.lax.optimization_barrier(kept_result(x))


shared_result.defvjp(lambda x: (shared_result(x),) * 2, lambda y, gradient: (jnp.where(y > 0, gradient, 0),))
