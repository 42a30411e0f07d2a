"""The compiled programs of evaluation and detector: composites to scores and weights, or to saliency maps."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
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

    Raises:
      ValueError: these kernels do not compute in that precision.
    """

    def scored(states: tuple, composites: jax.Array) -> tuple[jax.Array, jax.Array]:
        output = forward(nnx.merge(graph, *states, copy=True), composites)
        return jax.nn.sigmoid(output.logits), output.region_weights

    chosen = kernels_for(mesh.devices.flat, kernels, precision or "float32")
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    if on_cpu and precision == "bfloat16" and chosen.implementation != "cpu":
        raise ValueError(
            f"kernels={kernels!r} compute in float32 on a CPU; leave it out or take precision float32"
        )
    compiled = jax.jit(bound(scored, chosen), out_shardings=replicated(mesh))
    program = announced(compiled, "the forward pass, from composites to scores")
    return in_halves(program) if takes_halves(mesh) else program


@functools.lru_cache(maxsize=8)
def make_saliency(graph: Any, mesh: Mesh, kernels: str = "auto") -> Callable[[Any, jax.Array], jax.Array]:
    """Returns the jitted function from (states, composites (B, 1000, 2500, 3) uint8) to maps (B, 50, 125).

    The maps are those of models.saliency, float32 and whole on every device.
    """

    def mapped(states: tuple, composites: jax.Array) -> jax.Array:
        return saliency(nnx.merge(graph, *states, copy=True), composites)

    compiled = jax.jit(bound(mapped, kernels_for(mesh.devices.flat, kernels)), out_shardings=replicated(mesh))
    return announced(compiled, "the saliency of scores")


def takes_halves(mesh: Mesh) -> bool:
    """Whether the forward pass of this mesh computes a batch's halves at once."""
    return mesh.size == 1 and mesh.devices.flat[0].platform == "cpu"


def half_of(count: int) -> int:
    """How many of a batch are computed together then: half of an even number from four on, else all."""
    return count // 2 if count >= 4 and count % 2 == 0 else count


def in_halves(program: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The same function, which computes a batch's halves at once, in a thread each, where `half_of` cuts it.

    XLA keeps one and a half of two cores busy with one program, as many of its operations are too small to
    share; two programs fill them. They are the same program, so the number of cores doesn't tell.

    Args:
      program: jitted; a state and a batch (a tree of arrays (B, ...)) to a tree of arrays (B, ...).
    """
    threads, compiled = ThreadPoolExecutor(2, "scoring"), set()

    def run(state: Any, batch: Any) -> Any:
        count = len(jax.tree.leaves(batch)[0])
        half = half_of(count)
        if half == count:
            return program(state, batch)
        each = threads.map if count in compiled else map  # both threads would compile it
        compiled.add(count)
        cuts = slice(None, half), slice(half, None)
        parts = [jax.tree.map(lambda a, cut=cut: a[cut], batch) for cut in cuts]
        found = list(each(lambda part: jax.block_until_ready(program(state, part)), parts))
        return jax.tree.map(lambda *values: jnp.concatenate(values), *found)

    return run
