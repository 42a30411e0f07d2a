"""Multi-head attention: softmax(Q K' / sqrt(D)) V (arXiv 1706.03762, section 3.2)."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.dispatch import select_variant

_HEADS = 4  # per group


def attention(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """Attends with queries (B, Q, H, D) to keys and values (B, T, H, D); softmax in float32."""
    query = query * query.shape[-1] ** -0.5  # scales the smallest operand
    variants = {"plain": plain, "head_groups": head_groups, "cudnn": cudnn, "bfloat16": bfloat16}
    return variants[select_variant("attention")](query, key, value)


def plain(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """The definition, for scaled queries."""
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key)
    weights = jax.nn.softmax(scores.astype(jnp.float32), axis=-1).astype(query.dtype)
    return jnp.einsum("bhqk,bkhd->bqhd", weights, value)


def head_groups(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """Four heads at a time: each core of a CPU keeps the scores of a group in its cache."""
    groups = range(0, query.shape[2], _HEADS)
    parts = [plain(*(a[:, :, start : start + _HEADS] for a in (query, key, value))) for start in groups]
    return jnp.concatenate(parts, axis=2)


def cudnn(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """NVIDIA's fused attention, for bfloat16 on its GPUs. Selected by no setting: never measured."""
    return jax.nn.dot_product_attention(query, key, value, scale=1.0, implementation="cudnn")


def bfloat16(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """bfloat16 products with float32 sums and softmax, for CPUs with such instructions."""
    query, key, values = (a.astype(jnp.bfloat16) for a in (query, key, value))
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key, preferred_element_type=jnp.float32)
    weights = jax.nn.softmax(scores, axis=-1).astype(jnp.bfloat16)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, values, preferred_element_type=jnp.float32)
    return mixed.astype(value.dtype)
