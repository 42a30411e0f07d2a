"""How much of a batch is worked on at a time: a CPU is fastest where activations stay in its cache."""

from collections.abc import Callable
from typing import Any, Literal

import jax

from lipfd_jax.kernels.dispatch import select_variant

# How many go together: composites through the whole network; crops through all of the backbone but its last
# stage, of these through the first one, whose activations are largest, and through the last one, where they
# are small and the weights large.
_CHUNK_SIZES = {"windows": 2, "crops": 3, "first stage": 1, "last stage": 15}


def map_chunks(
    function: Callable[[Any], Any], batch: Any, kind: Literal["windows", "crops", "first stage", "last stage"]
) -> Any:
    """`function` of a batch (a tree of arrays (N, ...)); where it is called for parts, results don't tell."""
    size = {"plain": None, "cached": _CHUNK_SIZES[kind]}[select_variant("chunks")]
    return function(batch) if size is None else map_parts(function, batch, size)


def map_parts(function: Callable[[Any], Any], batch: Any, size: int) -> Any:
    """Called for parts of `size` one after the other, or of the largest size below that divides N."""
    count = len(jax.tree.leaves(batch)[0])
    if count <= size:
        return function(batch)
    size = largest_divisor(count, size)
    parts = jax.tree.map(lambda a: a.reshape(-1, size, *a.shape[1:]), batch)
    return jax.tree.map(lambda a: a.reshape(count, *a.shape[2:]), jax.lax.map(function, parts))


def largest_divisor(count: int, limit: int) -> int:
    """The largest divisor of `count` that is not above `limit`."""
    return max(n for n in range(1, limit + 1) if count % n == 0)
