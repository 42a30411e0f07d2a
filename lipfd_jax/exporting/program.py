"""The exported function: a model's plain evaluation pass, of its weights and the batch."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.kernels.dispatch import Kernels, with_kernels
from lipfd_jax.models.forward import forward, forward_prepared
from lipfd_jax.models.inputs import PreparedInputs
from lipfd_jax.models.lipfd import LipFD, Output
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

ProgramInput = Literal["composites", "prepared"]  # input of the program
OUTPUTS = ("probability", "region_weights")


class Program(NamedTuple):
    """A function and its arguments."""

    function: Callable[..., tuple[jax.Array, jax.Array]]  # (weights by name, *batch) to OUTPUTS
    weights: dict[str, jax.Array]  # path such as "encoder/ln_pre/scale" -> array
    batch: dict[str, jax.ShapeDtypeStruct]  # name to dtype and shape; the first dimension is symbolic


def make_program(model: LipFD, source: ProgramInput = "composites") -> Program:
    """Returns the model's evaluation pass, made of plain operations, for any device.

    Args:
      source: "composites" (B, 1000, 2500, 3) uint8 RGB, or "prepared": the output of
        `models.inputs.prepare_inputs` for them, float32.
    """
    graph, state = nnx.split(model)
    leaves, structure = jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(state))
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]

    def function(weights: dict[str, jax.Array], *batch: jax.Array) -> tuple[jax.Array, jax.Array]:
        filled = jax.tree_util.tree_unflatten(structure, [weights[name] for name in names])
        own = nnx.state(nnx.merge(graph, state))
        nnx.replace_by_pure_dict(own, filled)
        output = _run_forward(nnx.merge(graph, own), batch)
        return jax.nn.sigmoid(output.logits), output.region_weights

    weights = dict(zip(names, (leaf for _, leaf in leaves), strict=True))
    return Program(with_kernels(function, Kernels("plain")), weights, _make_batch_shapes(model, source))


def _run_forward(model: LipFD, batch: tuple[jax.Array, ...]) -> Output:
    return forward(model, *batch) if len(batch) == 1 else forward_prepared(model, PreparedInputs(*batch))


def _make_batch_shapes(model: LipFD, source: ProgramInput) -> dict[str, jax.ShapeDtypeStruct]:
    (size,) = jax.export.symbolic_shape("b")
    if source == "composites":
        return {"composites": jax.ShapeDtypeStruct((size, *COMPOSITE_SHAPE), jnp.uint8)}
    inputs = model.config.inputs
    side, crop = inputs.picture_size, inputs.crop_size
    crops = (size, len(inputs.frame_numbers), len(inputs.regions), crop, crop, 3)
    return {
        "picture": jax.ShapeDtypeStruct((size, side, side, 3), jnp.float32),
        "crops": jax.ShapeDtypeStruct(crops, jnp.float32),
    }
