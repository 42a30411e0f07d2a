"""The evaluation forward pass, from composites to scores."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.chunks import in_chunks
from lipfd_jax.models.inputs import Prepared, prepare
from lipfd_jax.models.lipfd import LipFD, Output


def forward(model: LipFD, composites: jax.Array) -> Output:
    """Scores composites (B, 1000, 2500, 3) uint8 RGB by the model's own input convention. Runs inside jit."""
    config = model.config

    def whole(part: jax.Array) -> Output:
        return model(*prepare(part, config.inputs, dtype=jnp.dtype(config.dtype)))

    return in_chunks(whole, composites, "windows")


def forward_prepared(model: LipFD, prepared: Prepared) -> Output:
    """Scores what `prepare` made of composites."""
    return in_chunks(lambda part: model(*part), prepared, "windows")
