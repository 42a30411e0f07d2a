"""The filter of trained parameters, the schedule, and what the optimizer leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.experiments.small import SMALL
from lipfd_jax.training.config import OptimizerSettings
from lipfd_jax.training.optimizer import make_optimizer, make_schedule, make_trained_filter
from lipfd_jax.training.state import make_recipe
from tests.tiny_networks import TINY


def _paths(tree):
    return {path for path, _ in nnx.to_flat_state(tree)}


def _shapes(recipe):
    from lipfd_jax.runtime.mesh import make_mesh
    from lipfd_jax.training.state import make_abstract_state

    return make_abstract_state(recipe, make_mesh(devices=jax.devices()[:1]))


def test_frozen_encoder_has_no_gradient_and_no_memory(changed):
    state = _shapes(make_recipe(changed(model=TINY)))
    assert {path[0] for path in _paths(state.trainable)} == {"conv1", "backbone", "get_weight", "fc"}
    assert {path[0] for path in _paths(state.frozen)} == {"encoder"}
    remembered = [str(path) for path, _ in jax.tree_util.tree_leaves_with_path(state.optimizer)]
    assert not any("encoder" in path for path in remembered)


@pytest.mark.parametrize("blocks", [1, 2])
def test_last_blocks_and_what_follows_are_trained(changed, blocks):
    state = _shapes(make_recipe(changed(model=TINY, optimizer={"trained_blocks": blocks})))
    encoder = {path for path in _paths(state.trainable) if path[0] == "encoder"}
    numbers = {key for path in encoder for key in path if isinstance(key, int)}
    assert numbers == set(range(2 - blocks, 2))
    assert {path[1] for path in encoder if not any(isinstance(k, int) for k in path)} == {
        "ln_post",
        "projection",
    }


def test_whole_encoder(changed):
    state = _shapes(make_recipe(changed(model=TINY, optimizer={"trained_blocks": -1})))
    assert not _paths(state.frozen)


def test_frozen_blocks_of_each_member_have_no_gradient_and_no_memory():
    state = _shapes(make_recipe(SMALL))
    stem_and_blocks = {("stem",), ("stem_norm",), *(("blocks", number) for number in range(5))}
    for path in _paths(state.frozen):
        assert path[:1] + path[2:3] == ("members", "backbone")
        assert path[3:4] in stem_and_blocks or path[3:5] in stem_and_blocks, path
    assert {path[1] for path in _paths(state.frozen)} == {0, 1}
    trained = {path[3:5] for path in _paths(state.trainable) if path[2] == "backbone"}
    assert ("blocks", 5) in trained
    assert not trained & stem_and_blocks


def test_classifiers_may_learn_faster():
    settings = OptimizerSettings(learning_rate=1.0, warmup_steps=0, weight_decay=0.0, head_factor=4.0)
    weights = {"members": {0: {"fc": {"bias": jnp.zeros(1)}, "backbone": {"bias": jnp.zeros(1)}}}}
    optimizer = make_optimizer(settings, steps=10)
    gradients = jax.tree.map(jnp.ones_like, weights)
    updates, _ = optimizer.update(gradients, optimizer.init(weights), weights)
    member = updates["members"][0]
    np.testing.assert_allclose(member["fc"]["bias"], 4 * member["backbone"]["bias"], rtol=1e-6)


def test_too_many_blocks_are_refused():
    with pytest.raises(ValueError, match="has 2 blocks"):
        make_trained_filter(OptimizerSettings(trained_blocks=3), layers=2)


def test_schedule_warms_up_and_ends_low():
    rate = make_schedule(OptimizerSettings(learning_rate=1.0, warmup_steps=10, final_factor=0.1), steps=100)
    np.testing.assert_allclose([rate(0), rate(10), rate(100)], [0.0, 1.0, 0.1], atol=1e-6)


def test_decay_spares_vectors_and_the_encoder_moves_slower():
    settings = OptimizerSettings(
        learning_rate=0.1, warmup_steps=0, weight_decay=0.5, clip_norm=0.0, encoder_factor=0.1
    )
    parameters = {
        "encoder": {"kernel": jnp.ones((2, 2))},
        "fc": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)},
    }
    optimizer = make_optimizer(settings, steps=10)
    zero = jax.tree.map(jnp.zeros_like, parameters)
    updates, _ = optimizer.update(zero, optimizer.init(parameters), parameters)
    assert float(updates["fc"]["kernel"][0, 0]) == pytest.approx(-0.1 * 0.5)
    assert float(updates["encoder"]["kernel"][0, 0]) == pytest.approx(-0.1 * 0.5 * 0.1)
    assert float(updates["fc"]["bias"][0]) == 0.0
