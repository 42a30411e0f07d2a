"""How much of a batch is worked on at a time: a CPU is fastest where activations stay in its cache."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class Pieces:
    """Sizes of the pieces; results don't depend on them. None takes everything at once."""

    windows: int | None  # composites through the whole network
    # Crops through all of the backbone but its last stage, and through that one: its activations are small
    # and its weights large.
    crops: tuple[int, int] | None


WHOLE = Pieces(None, None)
CPU = Pieces(windows=2, crops=(3, 15))


def pieces_for(devices: Sequence[jax.Device]) -> Pieces:
    """The pieces for a program on these devices.

    A batch spread over several devices stays whole: cutting it would make each device do all of it.
    """
    return CPU if len(devices) == 1 and devices[0].platform == "cpu" else WHOLE


def in_pieces(function: Callable[[Any], Any], batch: Any, size: int | None) -> Any:
    """`function` of a batch (a tree of arrays (N, ...)), called for pieces of `size` one after the other.

    Where N is no multiple of `size`, pieces are of the largest size below that divides it.
    """
    count = len(jax.tree.leaves(batch)[0])
    if size is None or count <= size:
        return function(batch)
    size = largest_divisor(count, size)
    parts = jax.tree.map(lambda a: a.reshape(-1, size, *a.shape[1:]), batch)
    return jax.tree.map(lambda a: a.reshape(count, *a.shape[2:]), jax.lax.map(function, parts))


def largest_divisor(count: int, limit: int) -> int:
    """The largest divisor of `count` that is not above `limit`."""
    return max(n for n in range(1, limit + 1) if count % n == 0)
