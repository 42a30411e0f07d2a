"""The evaluation forward pass, from composites to scores."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.chunks import map_chunks
from lipfd_jax.models.inputs import PreparedInputs, prepare_inputs
from lipfd_jax.models.lipfd import LipFD, Output


def forward(model: LipFD, composites: jax.Array) -> Output:
    """Scores composites (B, 1000, 2500, 3) uint8 RGB by the model's own input convention. Runs inside jit."""
    config = model.config

    def whole(part: jax.Array) -> Output:
        return model(*prepare_inputs(part, config.inputs, dtype=jnp.dtype(config.dtype)))

    return map_chunks(whole, composites, "windows")


def forward_prepared(model: LipFD, prepared: PreparedInputs) -> Output:
    """Scores what `prepare` made of composites."""
    return map_chunks(lambda part: model(*part), prepared, "windows")
