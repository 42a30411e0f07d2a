"""The whole model at small size: configuration, fusion, gradients."""

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.models import losses
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig, abstract_weights
from tests.drawn import drawn

SMALL = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=280, crop_size=64))


run = nnx.jit(lambda model, image, crops: model(image, crops))


@pytest.fixture
def prepared():
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.standard_normal((2, 280, 280, 3)), jnp.float32)
    return image, jnp.asarray(rng.standard_normal((2, 5, 3, 64, 64, 3)), jnp.float32)


def test_config_survives_json():
    assert ModelConfig.from_dict(json.loads(json.dumps(dataclasses.asdict(SMALL)))) == SMALL


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encodr": "vit_l14"}, r"unknown setting model\.encodr\. Did you mean model\.encoder\?"),
        ({"inputs": {**dataclasses.asdict(PAPER), "size": 3}}, r"unknown setting model\.inputs\.size"),
        ({"encoder": "vit_x"}, "encoder='vit_x' is unknown; use one of"),
        ({"dtype": "float16"}, "dtype='float16': expected one of float32, bfloat16"),
        ({"inputs": dataclasses.replace(PAPER, picture_size=1000)}, "must be a multiple of 70"),
    ],
)
def test_wrong_configs_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig.from_dict(fields)


def test_abstract_state_is_the_models():
    state = nnx.to_pure_dict(nnx.state(drawn(SMALL)))
    shapes = jax.tree.map(lambda a: (a.shape, a.dtype), state)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), abstract_weights(SMALL)) == shapes


def test_encoder_sees_the_picture_at_the_start(prepared):
    image, _ = prepared
    means = np.asarray(image).reshape(2, 56, 5, 56, 5, 3).mean((2, 4))
    np.testing.assert_allclose(drawn(SMALL).conv1(image), means, atol=1e-5)


def test_fusion_is_the_weighted_mean():
    model = drawn(SMALL)
    rng = np.random.default_rng(0)
    local, shared = rng.standard_normal((2, 5, 3, 128)), rng.standard_normal((2, 128))
    output = model.fuse(jnp.asarray(local, jnp.float32), jnp.asarray(shared, jnp.float32))
    for b in range(2):
        frames = []
        for i in range(5):
            z = np.concatenate([local[b, i], np.tile(shared[b], (3, 1))], axis=1)
            gate = 1 / (1 + np.exp(-(z @ model.get_weight.kernel[...] + model.get_weight.bias[...])[:, 0]))
            share = np.exp(gate) / np.exp(gate).sum()
            np.testing.assert_allclose(output.region_weights[b, i], share, rtol=1e-4)
            frames.append((share[:, None] * z).sum(0) / share.sum())
        logit = np.mean(frames, 0) @ model.fc.kernel[...][:, 0] + model.fc.bias[0]
        np.testing.assert_allclose(output.logits[b], logit, atol=1e-4)


def test_each_composite_is_scored_for_itself(prepared):
    model = drawn(SMALL)
    both = run(model, *prepared)
    alone = run(model, *(part[1:] for part in prepared))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1:], b, atol=1e-4), both, alone)


@pytest.mark.parametrize("remat", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_reach_every_parameter(prepared, remat):
    graph, params, stats = nnx.split(drawn(dataclasses.replace(SMALL, remat=remat)), nnx.Param, nnx.BatchStat)

    # No number is compared, and XLA's optimisations take most of the time.
    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    @jax.grad
    def gradient(params):
        model = nnx.merge(graph, params, stats, copy=True)
        output = model(*prepared, train=True)
        return losses.total_loss(output, jnp.array([0, 1]), region_weight=0.1).total

    for path, leaf in nnx.to_flat_state(gradient(params)):
        assert np.isfinite(leaf[...]).all(), path
        assert np.any(leaf[...] != 0), path


@pytest.mark.slow
def test_bfloat16_scores_are_close(prepared):
    half = run(drawn(dataclasses.replace(SMALL, dtype="bfloat16")), *prepared)
    full = run(drawn(SMALL), *prepared)
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(half.logits, full.logits, atol=0.1)
