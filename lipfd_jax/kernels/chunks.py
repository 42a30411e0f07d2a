"""Splits batches into chunks: a CPU is fastest when activations stay in its cache."""

from collections.abc import Callable
from typing import Any, Literal

import jax

from lipfd_jax.kernels.dispatch import select_variant

# Chunk sizes: composites in the whole network; crops in the backbone up to its last stage; of these crops in
# the first stage, whose activations are largest, and in the last, where they are small and weights large.
_CHUNK_SIZES = {"windows": 2, "crops": 3, "first stage": 1, "last stage": 15}


def map_chunks(
    function: Callable[[Any], Any], batch: Any, kind: Literal["windows", "crops", "first stage", "last stage"]
) -> Any:
    """Applies `function` to a batch (a tree of arrays (N, ...)), on a CPU by chunks; results are the same."""
    size = {"plain": None, "cached": _CHUNK_SIZES[kind]}[select_variant("chunks")]
    return function(batch) if size is None else map_parts(function, batch, size)


def map_parts(function: Callable[[Any], Any], batch: Any, size: int) -> Any:
    """Applies `function` to parts of `size` in sequence, or of the largest size below that divides N."""
    count = len(jax.tree.leaves(batch)[0])
    if count <= size:
        return function(batch)
    size = largest_divisor(count, size)
    parts = jax.tree.map(lambda a: a.reshape(len(a) // size, size, *a.shape[1:]), batch)
    return jax.tree.map(lambda a: a.reshape(count, *a.shape[2:]), jax.lax.map(function, parts))


def largest_divisor(count: int, limit: int) -> int:
    """Returns the largest divisor of `count` not above `limit`."""
    return max(n for n in range(1, limit + 1) if count % n == 0)
