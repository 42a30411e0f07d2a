"""Pieces change the speed, not the scores."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.kernels.chunks import CPU, WHOLE, Pieces, pieces_for
from lipfd_jax.models.forward import forward, forward_prepared
from lipfd_jax.models.inputs import PAPER, prepare
from lipfd_jax.models.lipfd import LipFD, ModelConfig

run = nnx.jit(lambda model, composites, pieces: forward(model, composites, pieces=pieces), static_argnums=2)


@pytest.fixture(scope="module")
def model():
    inputs = dataclasses.replace(PAPER, picture_size=280, crop_size=64)
    return LipFD(ModelConfig("vit_tiny", "resnet_tiny", inputs), rngs=nnx.Rngs(0))


@pytest.mark.parametrize(("count", "pieces"), [(4, CPU), (3, CPU)])
def test_pieces_give_the_same_scores(model, count, pieces):
    composites = np.random.default_rng(0).integers(0, 256, (count, 1000, 2500, 3), np.uint8)
    whole, found = run(model, composites, WHOLE), run(model, composites, pieces)
    assert found.logits.shape == (count,)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), whole, found)


def test_prepared_pictures_give_the_same_scores(model):
    composites = np.random.default_rng(0).integers(0, 256, (2, 1000, 2500, 3), np.uint8)
    prepared = prepare(composites, model.config.inputs)
    found = nnx.jit(lambda model, prepared: forward_prepared(model, prepared, pieces=Pieces(1, (3, 5))))
    expected = nnx.jit(lambda model, prepared: model(*prepared))
    np.testing.assert_allclose(found(model, prepared).logits, expected(model, prepared).logits, atol=1e-4)
    np.testing.assert_allclose(
        run(model, composites, CPU).logits, expected(model, prepared).logits, atol=1e-4
    )


def test_only_a_lone_cpu_works_in_pieces():
    device = jax.devices("cpu")[0]
    assert pieces_for([device]) == CPU
    assert pieces_for([device, device]) == WHOLE
