"""The evaluation forward pass, from composites to scores, in pieces that suit the device."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lipfd_jax.models.inputs import Prepared, prepare
from lipfd_jax.models.lipfd import LipFD, Output


@dataclasses.dataclass(frozen=True)
class Pieces:
    """How much of a batch is worked on at a time; results don't depend on it."""

    windows: int | None  # composites through the whole network; all if None
    crops: int | None  # crops through the trunk, a divisor of 15; all if None


WHOLE = Pieces(None, None)
# Two windows keep the encoder's activations, three crops the trunk's, in a CPU's cache, and the weights are
# still read seldom enough. The machine's memory also holds any batch this way.
CPU = Pieces(windows=2, crops=3)


def pieces_for(devices: Sequence[jax.Device]) -> Pieces:
    """The pieces for a program on these devices.

    A batch spread over several devices stays whole: cutting it would make each device do all of it.
    """
    return CPU if len(devices) == 1 and devices[0].platform == "cpu" else WHOLE


def score(model: LipFD, composites: jax.Array, *, pieces: Pieces = WHOLE) -> Output:
    """Scores composites (B, 1000, 2500, 3) uint8 RGB by the model's own input convention. Runs inside jit."""
    config = model.config

    def whole(part: jax.Array) -> Output:
        image, crops = prepare(part, config.inputs, dtype=jnp.dtype(config.dtype))
        return model(image, crops, crops_at_once=pieces.crops)

    return _in_pieces(whole, composites, pieces.windows)


def score_prepared(model: LipFD, prepared: Prepared, *, pieces: Pieces = WHOLE) -> Output:
    """Scores what `prepare` made of composites."""

    def whole(part: Prepared) -> Output:
        return model(part.image, part.crops, crops_at_once=pieces.crops)

    return _in_pieces(whole, prepared, pieces.windows)


def _in_pieces(function: Callable[[Any], Output], batch: Any, windows: int | None) -> Output:
    count = len(jax.tree.leaves(batch)[0])
    if windows is None or count <= windows:
        return function(batch)
    windows = windows if count % windows == 0 else 1
    parts = jax.tree.map(lambda a: a.reshape(-1, windows, *a.shape[1:]), batch)
    return jax.tree.map(lambda a: a.reshape(count, *a.shape[2:]), jax.lax.map(function, parts))
