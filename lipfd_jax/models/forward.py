"""Forward pass of evaluation, from composites to scores."""

import jax
import jax.numpy as jnp

from lipfd_jax.kernels.chunks import map_chunks
from lipfd_jax.models.inputs import PreparedInputs, prepare_inputs
from lipfd_jax.models.lipfd import LipFD, Output


def forward(model: LipFD, composites: jax.Array) -> Output:
    """Scores composites (B, 1000, 2500, 3) uint8 RGB in the model's own input convention. Runs inside jit."""
    config = model.config

    def score_part(part: jax.Array) -> Output:
        return model(*prepare_inputs(part, config.inputs, dtype=jnp.dtype(config.dtype)))

    return map_chunks(score_part, composites, "windows")


def forward_prepared(model: LipFD, prepared: PreparedInputs) -> Output:
    """Scores the output of `prepare_inputs`."""
    return map_chunks(lambda part: model(*part), prepared, "windows")
