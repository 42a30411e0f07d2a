"""bfloat16 numbers as the integers of their bits, which XLA's CPU code can move.

Where it pads, slices, joins or maps bfloat16 numbers it first widens them to float32, and rounds them again:
twice to three times the work of the move itself.
"""

import jax
import jax.numpy as jnp


def to_bits(x: jax.Array) -> jax.Array:
    """bfloat16 numbers as uint16 of the same shape; others as they are."""
    return jax.lax.bitcast_convert_type(x, jnp.uint16) if x.dtype == jnp.bfloat16 else x


def from_bits(x: jax.Array, dtype: jax.typing.DTypeLike = jnp.bfloat16) -> jax.Array:
    """What `to_bits` was given, of this dtype."""
    return jax.lax.bitcast_convert_type(x, dtype) if dtype == jnp.bfloat16 else x
