"""The evaluation forward pass, from composites to scores, in pieces that suit the device."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.chunks import WHOLE, Pieces, in_pieces
from lipfd_jax.models.inputs import Prepared, prepare
from lipfd_jax.models.lipfd import LipFD, Output


def forward(model: LipFD, composites: jax.Array, *, pieces: Pieces = WHOLE) -> Output:
    """Scores composites (B, 1000, 2500, 3) uint8 RGB by the model's own input convention. Runs inside jit."""
    config = model.config

    def whole(part: jax.Array) -> Output:
        image, crops = prepare(part, config.inputs, dtype=jnp.dtype(config.dtype))
        return model(image, crops, pieces=pieces)

    return in_pieces(whole, composites, pieces.windows)


def forward_prepared(model: LipFD, prepared: Prepared, *, pieces: Pieces = WHOLE) -> Output:
    """Scores what `prepare` made of composites."""

    def whole(part: Prepared) -> Output:
        return model(part.image, part.crops, pieces=pieces)

    return in_pieces(whole, prepared, pieces.windows)
