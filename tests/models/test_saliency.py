"""Saliency: bounded by finite differences, and zero where the network reads nothing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.models.forward import forward
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import LipFD, ModelConfig
from lipfd_jax.models.saliency import CELL, compute_saliency
from tests.drawn import drawn

_CONFIG = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=280, crop_size=64))


@pytest.fixture(scope="module")
def model() -> LipFD:
    return drawn(_CONFIG)


@pytest.fixture(scope="module")
def composites() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 1000, 2500, 3), np.uint8)


def _maps(model: LipFD, composites: np.ndarray) -> np.ndarray:
    return np.asarray(_mapped(model, composites))


_mapped = nnx.jit(compute_saliency)


def _halved(model: LipFD, *, local: float, shared: float) -> LipFD:
    """The model with its heads' weights for crop features and for the global feature scaled."""
    graph, state = nnx.split(model)
    changed = nnx.merge(graph, jax.tree.map(jnp.copy, state))
    width = changed.fc.kernel[...].shape[0] - 128  # vit_tiny's features stand last
    scale = np.concatenate([np.full((width, 1), local), np.full((128, 1), shared)]).astype(np.float32)
    for head in (changed.fc, changed.get_weight):
        head.kernel[...] = head.kernel[...] * scale
    return changed


@pytest.mark.slow
def test_mel_is_silent_where_only_crops_count(model, composites):
    maps = _maps(_halved(model, local=1, shared=0), composites)
    assert maps.shape == (1, 50, 125)
    assert (maps[:, :25] == 0).all()
    assert (maps[:, 25:] > 0).any()
    assert (_maps(_halved(model, local=0, shared=0), composites) == 0).all()


@pytest.mark.slow
def test_small_changes_move_the_logit_by_no_more_than_the_map_says(model, composites):
    heat = _maps(model, composites)[0]
    run = jax.jit(lambda pictures: forward(model, pictures).logits[0])
    middle = np.float32(composites)
    row, column = 37, 62  # the middle of the third frame, which encoder and crops both see
    square = np.s_[:, row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
    step = np.zeros_like(middle)
    direction = np.random.default_rng(1).normal(size=step[square].shape)
    step[square] = 4 * direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    moved = abs(float(run(middle + step) - run(middle - step)))
    most = 8 * heat[row, column] * CELL**2  # had every pixel moved along its own gradient
    assert most / 1000 < moved <= most


@pytest.mark.slow
def test_windows_do_not_see_each_other(model, composites):
    other = np.random.default_rng(2).integers(0, 256, composites.shape, np.uint8)
    both = _maps(model, np.concatenate([composites, other]))
    np.testing.assert_allclose(both[:1], _maps(model, composites), rtol=1e-3, atol=1e-10)
