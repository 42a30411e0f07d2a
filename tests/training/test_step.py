"""What a step computes, against plain computations: parts of a batch, and the average of the parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from lipfd_jax.models import losses
from lipfd_jax.models.inputs import prepare_inputs
from lipfd_jax.runtime.mesh import make_mesh
from lipfd_jax.training.state import create_state, make_recipe
from lipfd_jax.training.step import make_step
from tests.tiny_networks import MEAN, TINY

BATCH = 4


@pytest.fixture(scope="module")
def batch():
    """Four composites of noise."""
    rng = np.random.default_rng(0)
    composites = rng.integers(0, 256, (BATCH, 1000, 2500, 3), np.uint8)
    return {"composite": jnp.asarray(composites), "label": jnp.array([0, 1, 1, 0], jnp.int32)}


def _begun(experiment):
    recipe = make_recipe(experiment)
    return recipe, create_state(recipe, make_mesh(devices=jax.devices()[:1]))


def _leaves(tree):
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]


def test_the_average_is_the_warmed_up_mean_of_the_parameters(changed, batch):
    recipe, state = _begun(changed(steps=40, optimizer={"ema": 0.2}))
    step = jax.jit(make_step(recipe))
    expected = _leaves(state.trainable)
    for number in range(4):  # 0.1, 2 / 11 and then 0.2
        state, _ = step(state, batch)
        decay = min(0.2, (1 + number) / (10 + number))
        new = _leaves(state.trainable)
        expected = [decay * old + (1 - decay) * x for old, x in zip(expected, new, strict=True)]
    for found, wanted in zip(_leaves(state.ema), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


def _plain(recipe, state, batch, parts):
    """Mean gradient and measurements of the parts of a batch, one after the other, in a Python loop."""
    model = recipe.model(state)

    def loss(model, composites, labels):
        inputs = prepare_inputs(composites, recipe.config.inputs)
        output = model(inputs.image, inputs.crops, train=True)
        found = losses.total_loss(output, labels, region_weight=recipe.experiment.loss.region_weight)
        return found.total

    value_and_grad = nnx.jit(nnx.value_and_grad(loss, argnums=nnx.DiffState(0, nnx.Param)))
    values, gradients = [], []
    for k in range(parts):
        value, gradient = value_and_grad(model, batch["composite"][k::parts], batch["label"][k::parts])
        values.append(float(value))
        gradients.append(nnx.to_pure_dict(gradient))
    mean = jax.tree.map(lambda *x: sum(x) / parts, *gradients)
    mean.pop("encoder")
    return model, mean, np.mean(values)


@pytest.mark.parametrize("model", [MEAN, pytest.param(TINY, marks=pytest.mark.slow)], ids=["mean", "tiny"])
def test_parts_of_a_batch_add_up(changed, batch, model):
    experiment = changed(model=model, optimizer={"accumulate": 2, "clip_norm": 0.0})
    recipe, state = _begun(experiment)
    plain, gradient, loss = _plain(recipe, state, batch, 2)
    after, measured = jax.jit(make_step(recipe))(state, batch)
    assert float(measured["loss"]) == pytest.approx(loss, rel=1e-5)
    assert float(measured["gradient_norm"]) == pytest.approx(float(optax.tree.norm(gradient)), rel=1e-4)
    remembered = optax.tree.get(after.optimizer, "mu")  # Adam's, a tenth of the first gradient
    for found, wanted in zip(_leaves(remembered), _leaves(gradient), strict=True):
        np.testing.assert_allclose(10 * found, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max() + 1e-7)
    statistics = nnx.state(plain, nnx.BatchStat)  # of the first part, then of the second
    for found, wanted in zip(_leaves(after.statistics), _leaves(statistics), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
