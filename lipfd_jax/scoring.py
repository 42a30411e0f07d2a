"""The compiled programs of evaluation and detector: composites to scores and weights, or to saliency maps."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx
from jax.sharding import Mesh

from lipfd_jax.compilation import announced
from lipfd_jax.kernels.choice import bound, kernels_for
from lipfd_jax.mesh import replicated
from lipfd_jax.models.forward import forward
from lipfd_jax.models.saliency import saliency

Forward = Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]]


@functools.lru_cache(maxsize=8)  # one compiled program per structure and mesh, however often it is asked for
def make_forward(graph: Any, mesh: Mesh, kernels: str = "auto", precision: str | None = None) -> Forward:
    """Returns the jitted function from (states, composites (B, 1000, 2500, 3) uint8) to scores and weights.

    Scores (B,) are the probabilities of a fake, region weights are (B, 5, 3); both are float32 and whole on
    every device. `kernels` is a setting of kernels.choice, `precision` what the model was given in
    `precision.with_precision`.
    """

    def scored(states: tuple, composites: jax.Array) -> tuple[jax.Array, jax.Array]:
        output = forward(nnx.merge(graph, *states, copy=True), composites)
        return jax.nn.sigmoid(output.logits), output.region_weights

    chosen = kernels_for(mesh.devices.flat, kernels, precision or "float32")
    compiled = jax.jit(bound(scored, chosen), out_shardings=replicated(mesh))
    return announced(compiled, "the forward pass, from composites to scores")


@functools.lru_cache(maxsize=8)
def make_saliency(graph: Any, mesh: Mesh, kernels: str = "auto") -> Callable[[Any, jax.Array], jax.Array]:
    """Returns the jitted function from (states, composites (B, 1000, 2500, 3) uint8) to maps (B, 50, 125).

    The maps are those of models.saliency, float32 and whole on every device.
    """

    def mapped(states: tuple, composites: jax.Array) -> jax.Array:
        return saliency(nnx.merge(graph, *states, copy=True), composites)

    compiled = jax.jit(bound(mapped, kernels_for(mesh.devices.flat, kernels)), out_shardings=replicated(mesh))
    return announced(compiled, "the saliency of scores")
