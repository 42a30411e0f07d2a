"""Models without an encoder look at crops alone: of the frames and regions that their inputs name."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.models.forward import forward
from lipfd_jax.models.inputs import CLIP_MEAN, CLIP_STD, Inputs, prepare_inputs
from lipfd_jax.models.lipfd import LipFD, ModelConfig, Output
from lipfd_jax.models.losses import bce, total_loss
from lipfd_jax.models.saliency import compute_saliency
from lipfd_jax.models.views import take_motion
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, TILE

INPUTS = Inputs(picture_size=0, crop_size=32, frame_numbers=(1, 3), regions=("face", "lip"), face_side=448)
CONFIG = ModelConfig("none", "resnet_tiny", INPUTS)


def draw_classifiers(model):
    """Draws the classifiers, which start at zero."""
    for number, part in enumerate(model.members or [model]):
        for layer in (part.fc, part.get_weight):
            layer.kernel[...] = jax.random.normal(jax.random.key(number), layer.kernel.shape)
    return model


def test_classifiers_start_at_zero(composites):
    output = jax.jit(forward)(LipFD(CONFIG, rngs=nnx.Rngs(0)), composites)
    assert (output.logits == 0).all()


@pytest.fixture(scope="module")
def model():
    return draw_classifiers(LipFD(CONFIG, rngs=nnx.Rngs(0)))


@pytest.fixture(scope="module")
def composites():
    return np.random.default_rng(0).integers(0, 256, (2, *COMPOSITE_SHAPE), np.uint8)


def test_region_weights_are_zero_where_nothing_is_seen(model, composites):
    output = jax.jit(forward)(model, composites)
    seen = np.zeros((5, 3), bool)
    seen[np.ix_([1, 3], [1, 2])] = True
    assert output.region_weights.shape == (2, 5, 3)
    assert ((np.asarray(output.region_weights) > 0) == seen).all()
    np.testing.assert_allclose(output.region_weights[:, [1, 3]].sum(-1), 1, rtol=1e-6)


def test_only_the_regions_that_are_seen_matter(model, composites):
    changed = composites.copy()
    changed[:, :TILE] = 0  # the mel strip
    changed[:, TILE:, :TILE] = 0  # the first frame
    changed[:, TILE : TILE + 80, TILE : 2 * TILE] = 0  # the second frame outside the face region
    before, after = (jax.jit(forward)(model, batch).logits for batch in (composites, changed))
    np.testing.assert_array_equal(before, after)
    changed[:, TILE + 250, TILE + 250] = 255 - changed[:, TILE + 250, TILE + 250]
    assert (jax.jit(forward)(model, changed).logits != before).all()


def test_saliency_shows_where(model, composites):
    found = np.asarray(jax.jit(compute_saliency)(model, composites))
    assert (found[:, :25] == 0).all()
    assert (found[:, 25:, 25:50] > 0).any()


def test_crops_are_those_of_all_regions(composites):
    whole = prepare_inputs(composites, Inputs(picture_size=5, crop_size=32)).crops
    few = prepare_inputs(composites, INPUTS)
    assert few.image.shape == (2, 0, 0, 3)
    np.testing.assert_array_equal(few.crops, whole[:, jnp.array([1, 3])][:, :, 1:])


def test_configurations_survive_json():
    assert ModelConfig.from_dict({"encoder": "none", "backbone": "resnet_tiny", "inputs": {
        "picture_size": 0, "crop_size": 32, "frame_numbers": [1, 3], "regions": ["face", "lip"],
        "face_side": 448}}) == CONFIG  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frame_numbers": (3, 1)}, "each once and in order"),
        ({"regions": ("mouth",)}, "head"),
        ({"frame_numbers": ()}, "expected some of"),
        ({"name": "released", "regions": ("lip",)}, "released inputs take all"),
    ],
)
def test_choices_are_checked(fields, message):
    with pytest.raises(ValueError, match=message):
        Inputs(**fields)


@pytest.mark.parametrize("change", [{"encoder": "vit_tiny"}, {"inputs": Inputs(picture_size=280)}])
def test_the_picture_belongs_to_the_encoder(change):
    with pytest.raises(ValueError, match="picture_size is 0 if and only if"):
        ModelConfig(**{"encoder": "none", "backbone": "resnet_tiny", "inputs": INPUTS, **change})


MEMBERS = dataclasses.replace(
    CONFIG,
    members=("still", "motion"),
    inputs=dataclasses.replace(INPUTS, frame_numbers=(0, 2, 4)),
)


@pytest.fixture(scope="module")
def pair():
    return draw_classifiers(LipFD(MEMBERS, rngs=nnx.Rngs(1)))


def test_logits_of_members_are_averaged(pair, composites):
    output = jax.jit(forward)(pair, composites)
    np.testing.assert_allclose(output.logits, np.mean(output.member_logits, axis=0), rtol=1e-6)
    seen = np.asarray(output.region_weights) > 0
    assert seen[:, 2, 1:].all()
    assert seen.sum() == 2 * 2


def test_members_see_the_still_and_the_motion(pair, composites):
    changed = composites.copy()
    changed[:, TILE + 200 : TILE + 300, 200:300] = 255 - changed[:, TILE + 200 : TILE + 300, 200:300]
    before, after = (jax.jit(forward)(pair, batch).member_logits for batch in (composites, changed))
    np.testing.assert_array_equal(before[0], after[0])  # the first frame is not the still one
    assert (np.asarray(before[1]) != np.asarray(after[1])).all()


def test_a_picture_that_does_not_change_has_no_motion():
    crops = jnp.broadcast_to(jax.random.normal(jax.random.key(0), (2, 1, 1, 8, 8, 3)), (2, 3, 1, 8, 8, 3))
    view = np.asarray(take_motion(crops)) * CLIP_STD + CLIP_MEAN
    np.testing.assert_allclose(view[..., 1:], 0.5, atol=1e-5)


def test_members_survive_json_and_are_checked():
    stored = json.loads(json.dumps(dataclasses.asdict(MEMBERS)))
    assert ModelConfig.from_dict(stored) == MEMBERS
    with pytest.raises(ValueError, match="'sound' is unknown"):
        dataclasses.replace(MEMBERS, members=("sound",))
    with pytest.raises(ValueError, match="three"):
        dataclasses.replace(CONFIG, members=("motion",))


def test_each_member_learns_by_its_own_loss():
    logits = jnp.array([[-1.0, 2.0], [3.0, -4.0]])
    output = Output(logits.mean(0), jnp.full((2, 5, 3), 1 / 3), jnp.zeros((2, 0)), tuple(logits))
    labels = jnp.array([0, 1])
    found = total_loss(output, labels, region_weight=0.0, rank_weight=1.0)
    np.testing.assert_allclose(found.classification, np.mean([bce(x, labels) for x in logits]), rtol=1e-6)
    np.testing.assert_allclose(found.rank, np.mean(np.log1p(np.exp([-3.0, 7.0]))), rtol=1e-6)
