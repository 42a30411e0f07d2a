"""The network at full size, layer by layer, against what the released code computed with the same weights.

Drawn pictures and what was recorded for them are in tests/reference; the rest needs LIPFD_GOLDEN.
"""

import dataclasses
import functools
import hashlib
import pathlib

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints import tables
from lipfd_jax.models.forward import forward_prepared
from lipfd_jax.models.inputs import RELEASED, prepare_inputs
from lipfd_jax.models.lipfd import ModelConfig, abstract_model, abstract_weights
from tests.reference import pictures, weights

SEEDS = (7, 8)
ANTIALIAS = (0, 1)
CONFIG = ModelConfig(inputs=RELEASED)
REFERENCE = pathlib.Path(__file__).parents[1] / "reference"


@dataclasses.dataclass(frozen=True)
class StandIn:
    """A tensor of the stand-in checkpoint, generated when it is read."""

    draw: functools.partial
    shape: tuple
    dtype: np.dtype

    def __array__(self, dtype=None, copy=None):
        return self.draw()


@functools.lru_cache(maxsize=1)  # 1.3 GB each
def parameters(seed):
    tensors = {
        key: StandIn(functools.partial(weights.tensor, seed, key, shape, dtype), shape, np.dtype(dtype))
        for key, (shape, dtype) in weights.load_manifest().items()
    }
    return tables.to_params(tensors, tables.RELEASED_LIPFD, abstract_weights(CONFIG))


@functools.cache
def inputs(golden, antialias):
    names = np.load(golden / "model_seed7_antialias0.npz")["images"]
    files = [golden / "composites" / f"{name.replace('/', '__')}.png" for name in names]
    return prepared(np.stack([cv2.imread(str(file))[..., ::-1] for file in files]), antialias)


def prepared(composites, antialias):
    convention = dataclasses.replace(RELEASED, released_antialias=bool(antialias))
    return jax.jit(prepare_inputs, static_argnums=1)(composites, convention)


def model_of(params):
    model = abstract_model(CONFIG)
    nnx.update(model, params)
    return model


@jax.jit
def forward(params, prepared):
    return forward_prepared(model_of(params), prepared)


def in_pairs(params, prepared):
    """Scores two windows at a time, so that all tests share one program."""
    pairs = [jax.tree.map(lambda a, i=i: a[i : i + 2], prepared) for i in range(0, len(prepared.image), 2)]
    return jax.tree.map(lambda *parts: np.concatenate(parts), *[forward(params, pair) for pair in pairs])


@jax.jit
def activations(params, prepared):
    """Every recorded activation of one composite, in the recorded layouts."""
    model = model_of(params)
    encoder, backbone = model.encoder, model.backbone
    found = {"conv1": model.conv1(prepared.image)}
    found["ln_pre"] = x = encoder.embed(found["conv1"])
    for number, block in enumerate(encoder.blocks[:-1]):
        x = block(x)
        found[f"block{number}"] = x.swapaxes(0, 1)
    found["ln_post"] = encoder.ln_post(encoder.blocks[-1](x, queries=1)[:, 0])
    found["maxpool"] = y = backbone.stem(prepared.crops[:, 0, 0], train=False)
    for stage in (1, 2, 3, 4):
        for block in getattr(backbone, f"layer{stage}"):
            y = block(y, train=False)
        found[f"layer{stage}"] = y
    found["avgpool"] = y.mean((1, 2), keepdims=True)
    return {name: jnp.moveaxis(a, -1, 1) if a.ndim == 4 else a for name, a in found.items()}


def test_drawn_pictures_are_those_that_were_recorded():
    recorded = np.load(REFERENCE / "model_seed7_antialias0.npz")
    sums = [hashlib.sha256(pictures.composite(seed).tobytes()).hexdigest() for seed in recorded["pictures"]]
    assert sums == recorded["sha256"].tolist()


@pytest.mark.parametrize("antialias", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_scores_of_drawn_pictures_match_the_released_code(antialias):
    expected = np.load(REFERENCE / f"model_seed7_antialias{antialias}.npz")
    composites = np.stack([pictures.composite(seed) for seed in expected["pictures"]])
    output = forward(parameters(7), prepared(composites, antialias))
    np.testing.assert_allclose(output.logits, expected["logits"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(output.features, expected["features"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(output.region_weights, expected["region_weights"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("antialias", ANTIALIAS)
def test_resized_pictures_match_the_released_code(golden, antialias):
    expected = np.load(golden / f"model_seed7_antialias{antialias}.npz")
    image, crops = (np.asarray(part) for part in inputs(golden, antialias))
    crops = crops.transpose(2, 1, 0, 5, 3, 4)  # recorded as region, frame, composite, channel, rows, columns
    means = {"image_mean": image.mean((1, 2), dtype=float), "crops_mean": crops.mean((-2, -1), dtype=float)}
    corners = {"image_corner": image[:, :8, :8].transpose(0, 3, 1, 2), "crops_corner": crops[..., :4, :4]}
    for name, found in (means | corners).items():
        np.testing.assert_allclose(found, expected[name], rtol=0, atol=1e-4, err_msg=name)


def test_layers_match_the_released_code(golden):
    first = jax.tree.map(lambda a: a[:1], inputs(golden, 0))
    found = activations(parameters(7), first)
    expected = np.load(golden / "activations_seed7_antialias0.npz")
    for name in expected.files:
        values = np.asarray(found[name])
        if name in ("maxpool", "layer1"):  # recorded in part
            values = values[:, : expected[name].shape[1]]
        error = np.abs(values - expected[name]).max() / np.abs(expected[name]).max()
        assert error < 2e-5, f"{name}: relative error {error:.1e}"
        assert values.shape == expected[name].shape


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_scores_match_the_released_code(golden, seed):
    params = parameters(seed)
    for antialias in ANTIALIAS:
        expected = np.load(golden / f"model_seed{seed}_antialias{antialias}.npz")
        output = in_pairs(params, inputs(golden, antialias))
        np.testing.assert_allclose(output.logits, expected["logits"], rtol=0, atol=2e-5)
        np.testing.assert_allclose(output.features, expected["features"], rtol=0, atol=1e-4)
        weights = np.asarray(output.region_weights)
        np.testing.assert_allclose(weights.max(-1).T, expected["weights_max"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(weights[..., 0].T, expected["weights_head"], rtol=0, atol=1e-5)
