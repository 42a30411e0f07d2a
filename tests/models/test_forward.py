"""Kernels change the speed of scoring, not the scores; plain programs are portable."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import export

from lipfd_jax.kernels.dispatch import Kernels, with_kernels
from lipfd_jax.models.forward import forward, forward_prepared
from lipfd_jax.models.inputs import PAPER, prepare_inputs
from lipfd_jax.models.lipfd import ModelConfig
from tests.drawn import drawn

CPU = Kernels("cpu")


@pytest.fixture(scope="module")
def model():
    inputs = dataclasses.replace(PAPER, picture_size=280, crop_size=64)
    return drawn(ModelConfig("vit_tiny", "resnet_tiny", inputs))


def program(model, function, kernels):
    """Returns `function` of the model as a jitted function of parameters and input, and the parameters."""
    graph, state = nnx.split(model)
    return jax.jit(with_kernels(lambda state, x: function(nnx.merge(graph, state), x), kernels)), state


def draw(count):
    return np.random.default_rng(0).integers(0, 256, (count, 1000, 2500, 3), np.uint8)


@pytest.mark.parametrize(
    ("kernels", "count"),
    [
        (CPU, 3),
        pytest.param(CPU, 4, marks=pytest.mark.slow),
        pytest.param(Kernels("cpu", spread=True), 2, marks=pytest.mark.slow),
        pytest.param(Kernels("tpu"), 2, marks=pytest.mark.slow),
        (Kernels("gpu"), 2),
    ],
)
def test_kernels_give_the_same_scores(model, kernels, count):
    outputs = []
    for chosen in (Kernels("plain"), kernels):
        run, state = program(model, forward, chosen)
        outputs.append(run(state, draw(count)))
    assert outputs[0].logits.shape == (count,)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), *outputs)


@pytest.mark.slow
def test_prepared_pictures_give_the_same_scores(model):
    run, state = program(model, forward_prepared, CPU)
    whole, _ = program(model, forward, CPU)
    prepared = prepare_inputs(draw(2), model.config.inputs)
    np.testing.assert_allclose(run(state, prepared).logits, whole(state, draw(2)).logits, atol=1e-4)


@pytest.mark.slow
def test_a_plain_program_is_exported_for_any_batch(model):
    run, state = program(model, forward, Kernels("plain"))
    leaves, tree = jax.tree.flatten(state)
    flat = jax.jit(lambda leaves, x: tuple(run(jax.tree.unflatten(tree, leaves), x)))
    (count,) = export.symbolic_shape("b")
    shape = jax.ShapeDtypeStruct((count, 1000, 2500, 3), jnp.uint8)
    exported = export.export(flat, platforms=["cpu", "cuda", "tpu"])(leaves, shape)
    exported = export.deserialize(exported.serialize())
    for count in (1, 3):
        found, expected = exported.call(leaves, draw(count)), run(state, draw(count))
        assert found[0].shape == (count,)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_plain_program_is_of_ordinary_operations(model):
    """A plain program has no operation that exporters do not support, and names no device."""
    odd = r"platform_index|optimization_barrier|custom_vjp|while|scan|cond"
    for kernels, there in ((Kernels("plain"), False), (CPU, True)):
        run, state = program(model, forward, kernels)
        assert bool(re.search(odd, str(run.trace(state, draw(3)).jaxpr))) == there
