"""bfloat16 values viewed as integers, which XLA's CPU code moves without conversion.

When it pads, slices, concatenates or maps bfloat16 values it first widens them to float32 and rounds them
again: two to three times the work of the move itself.
"""

import jax
import jax.numpy as jnp


def to_bits(x: jax.Array) -> jax.Array:
    """Returns bfloat16 values as uint16 of the same shape; other arrays unchanged."""
    return jax.lax.bitcast_convert_type(x, jnp.uint16) if x.dtype == jnp.bfloat16 else x


def from_bits(x: jax.Array, dtype: jax.typing.DTypeLike = jnp.bfloat16) -> jax.Array:
    """Inverts `to_bits` for an array of this dtype."""
    return jax.lax.bitcast_convert_type(x, dtype) if dtype == jnp.bfloat16 else x
