"""Compiled programs of inference: composites to scores and region weights, or to saliency maps."""

import dataclasses
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from lipfd_jax.kernels.dispatch import Kernels, kernels_for, use_kernels, with_kernels
from lipfd_jax.models.forward import forward
from lipfd_jax.models.lipfd import LipFD, ModelConfig
from lipfd_jax.models.saliency import compute_saliency
from lipfd_jax.runtime.compilation import LoggedProgram
from lipfd_jax.runtime.mesh import batch_sharding, replicated_sharding
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

_PAIR = 2  # windows that a CPU computes together; more exceed its cache


class Forward(Protocol):
    """A compiled program, from (states, composites) to scores and region weights."""

    def __call__(self, states: tuple, composites: jax.Array, /) -> tuple[jax.Array, jax.Array]:
        """Scores (B,) and region weights (B, 5, 3)."""

    def prepare(self, states: Any, composites: jax.ShapeDtypeStruct, /) -> None:
        """Compiles ahead of the first call, for arguments of these shapes and shardings."""


@functools.lru_cache(maxsize=8)  # one compiled program per structure and mesh
def make_forward(graph: Any, mesh: Mesh, kernels: str = "auto", precision: str | None = None) -> Forward:
    """Returns the jitted function from (states, composites (B, 1000, 2500, 3) uint8) to scores and weights.

    Scores (B,) are the probabilities of a fake, region weights are (B, 5, 3); both are float32 and whole on
    every device. `kernels` is a setting of kernels.dispatch, `precision` what the model was given in
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
    compiled = jax.jit(with_kernels(scored, chosen), out_shardings=replicated_sharding(mesh))
    program = LoggedProgram(compiled, "the forward pass, from composites to scores")
    return PairedProgram(program) if takes_pairs(mesh) else program


@functools.lru_cache(maxsize=8)
def make_saliency(
    graph: Any, mesh: Mesh, kernels: str = "auto"
) -> Callable[[tuple, jax.Array | np.ndarray], jax.Array]:
    """Returns the jitted function from (states, composites (B, 1000, 2500, 3) uint8) to maps (B, 50, 125).

    The maps are those of models.saliency, float32 and whole on every device.
    """

    chosen = kernels_for(mesh.devices.flat, kernels)

    def mapped(states: tuple, composites: jax.Array) -> jax.Array:
        model = nnx.merge(graph, *states, copy=True)
        with use_kernels(_choose_saliency_kernels(chosen, model.config)):
            return compute_saliency(model, composites)

    compiled = jax.jit(mapped, out_shardings=replicated_sharding(mesh))
    return LoggedProgram(compiled, "the saliency of scores")


def _choose_saliency_kernels(chosen: Kernels, config: ModelConfig) -> Kernels:
    """Returns the kernels for a saliency program: on a CPU a model without an encoder takes fewer variants.

    EfficientNet-Lite0 on six crops of 160 pixels: lowered and compiled in 5.9 s of processor time instead of
    10.4, at the same 0.23 s a window.
    """
    small = chosen.implementation == "cpu" and config.encoder == "none"
    return dataclasses.replace(chosen, implementation="cpu_once") if small else chosen


def takes_pairs(mesh: Mesh) -> bool:
    """Whether the forward pass of this mesh computes a batch in pairs, two of them at once."""
    return mesh.size == 1 and mesh.devices.flat[0].platform == "cpu"


def choose_part_size(count: int) -> int:
    """Returns how many of a batch are computed together then: two of an even number, else all."""
    return _PAIR if count > _PAIR and count % _PAIR == 0 else count


class PairedProgram:
    """A program that computes a batch in pairs, two at once; `choose_part_size` cuts it.

    XLA keeps one and a half of two cores busy with one program, as many of its operations are too small to
    share; two programs fill them. Both threads run the same program, so results don't depend on the number of
    cores, and one program serves batches of any even size.
    """

    def __init__(self, program: Callable[[Any, Any], Any]):
        """`program`: jitted; a state and a batch (a tree of arrays (B, ...)) to a tree of arrays (B, ...)."""
        self._program, self._threads = program, ThreadPoolExecutor(2, "scoring")
        self._made: set[int] = set()  # sizes it is compiled for: two threads would both compile it

    def __call__(self, state: Any, batch: Any) -> Any:
        """Returns the program's results for the whole batch, computed."""
        count = len(jax.tree.leaves(batch)[0])
        part = choose_part_size(count)
        each = self._threads.map if part in self._made else map
        self._made.add(part)
        if part == count:
            return jax.block_until_ready(self._program(state, batch))
        leaves, structure = jax.tree.flatten(batch)
        cut = zip(*(jnp.split(leaf, count // part) for leaf in leaves), strict=True)
        parts = [jax.tree.unflatten(structure, few) for few in cut]
        found = list(each(lambda part: jax.block_until_ready(self._program(state, part)), parts))
        return jax.tree.map(lambda *values: jnp.concatenate(values), *found)

    def prepare(self, state: Any, batch: Any) -> None:
        """Compiles the program, a `LoggedProgram`, for a state and a batch of these shapes."""
        assert isinstance(self._program, LoggedProgram)  # others compile at their first call
        part = choose_part_size(jax.tree.leaves(batch)[0].shape[0])
        self._program.prepare(state, jax.tree.map(lambda a: a.update(shape=(part, *a.shape[1:])), batch))
        self._made.add(part)


def prepare_forward(
    model: LipFD, count: int, mesh: Mesh, kernels: str = "auto", precision: str | None = None
) -> None:
    """Compiles the forward pass for `count` composites; the model may have shapes in place of weights."""
    graph, state = nnx.split(model)
    placed = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=replicated_sharding(mesh)), state
    )
    shape = (count, *COMPOSITE_SHAPE)
    batch = jax.ShapeDtypeStruct(shape, np.uint8, sharding=batch_sharding(mesh))
    make_forward(graph, mesh, kernels, precision).prepare((placed,), batch)
