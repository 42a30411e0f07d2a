"""The compiled program that evaluation and the detector run: composites to scores and region weights."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx
from jax.sharding import Mesh

from lipfd_jax.kernels.choice import bound, kernels_for
from lipfd_jax.mesh import replicated
from lipfd_jax.models.forward import forward

Forward = Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]]


@functools.lru_cache(maxsize=8)  # one compiled program per structure and mesh, however often it is asked for
def make_forward(graph: Any, mesh: Mesh, kernels: str = "auto") -> Forward:
    """Returns the jitted function from (states, composites (B, 1000, 2500, 3) uint8) to scores and weights.

    Scores (B,) are the probabilities of a fake, region weights are (B, 5, 3); both are float32 and whole on
    every device. `kernels` is a setting of kernels.choice.
    """

    def scored(states: tuple, composites: jax.Array) -> tuple[jax.Array, jax.Array]:
        output = forward(nnx.merge(graph, *states, copy=True), composites)
        return jax.nn.sigmoid(output.logits), output.region_weights

    chosen = kernels_for(mesh.devices.flat, kernels)
    return jax.jit(bound(scored, chosen), out_shardings=replicated(mesh))
