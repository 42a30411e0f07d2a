"""Both input conventions: which pixels, which channel order, which values."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.models.inputs import PAPER, RELEASED, Inputs, prepare_inputs

SMALL = {"picture_size": 280, "crop_size": 64}


@pytest.fixture
def composite():
    """Each frame has its own flat colour, with a marked rectangle in the middle."""
    picture = np.zeros((1, 1000, 2500, 3), np.uint8)
    for i in range(5):
        frame = picture[0, 500:, 500 * i : 500 * (i + 1)]
        frame[:] = (10 + 20 * i, 0, 200)
        frame[200:300, 200:300] = 255
    return picture


def test_shapes(composite):
    for convention in (RELEASED, PAPER):
        image, crops = prepare_inputs(composite, dataclasses.replace(convention, **SMALL))
        assert image.shape == (1, 280, 280, 3)
        assert crops.shape == (1, 5, 3, 64, 64, 3)


def test_paper_takes_each_frame_and_normalises(composite):
    _, crops = prepare_inputs(composite, dataclasses.replace(PAPER, **SMALL))
    corners = np.asarray(crops)[0, :, 0, 0, 0]  # of the head crops
    pixels = np.stack([[10 + 20 * i, 0, 200] for i in range(5)]) / 255
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    np.testing.assert_allclose(corners, (pixels - mean) / std, atol=1e-4)


def test_released_shifts_the_first_frame_in_bgr(composite):
    composite[:, 500:, :500] = np.arange(500)[:, None] // 4  # grey ramp along the columns
    _, crops = prepare_inputs(composite, RELEASED)
    heads = np.asarray(crops)[0, :, 0]
    # Away from the edge each crop is the same ramp, a pixel further on.
    assert np.all(np.abs(heads[1:, :, 100:150] - heads[:-1, :, 100:150]) <= 1)
    composite[:, 500:, :500] = (1, 2, 3)
    np.testing.assert_allclose(
        np.asarray(prepare_inputs(composite, RELEASED).crops)[0, 0, 0, 0, 0], (3, 2, 1)
    )


@pytest.mark.parametrize(("convention", "face", "lip"), [(RELEASED, 0.75, 102 / 224), (PAPER, 0.65, 0.45)])
def test_regions_zoom_into_the_middle(composite, convention, face, lip):
    _, crops = prepare_inputs(composite, convention)
    green = np.asarray(crops)[0, 0, ..., 1]  # 0 but in the marked square, whatever the normalisation
    marked = ((green - green.min()) / np.ptp(green)).mean((1, 2)) ** 0.5  # side of the square
    np.testing.assert_allclose(marked, 0.2 / np.array([1, face, lip]), atol=0.01)


def test_small_crops_are_the_large_ones_shrunk(composite):
    small = prepare_inputs(composite, dataclasses.replace(PAPER, crop_size=56)).crops
    large = np.asarray(prepare_inputs(composite, PAPER).crops)
    shrunk = large.reshape(1, 5, 3, 56, 4, 56, 4, 3).mean((4, 6))
    assert np.abs(small - shrunk).mean() < 0.02


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="1000, 2500"):
        prepare_inputs(np.zeros((1, 500, 2500, 3), np.uint8), PAPER)


OLD = {"picture_size": 1120, "crop_size": 224}
OLD_RELEASED = OLD | {"name": "released", "channels": "bgr", "normalise": False}
OLD_RELEASED |= {"frames": "shifted", "crops": "nested"}
OLD_PAPER = OLD | {"name": "paper", "channels": "rgb", "normalise": True, "frames": "true", "crops": "frame"}


@pytest.mark.parametrize(
    ("written", "inputs"),
    [
        (OLD_RELEASED | {"antialias": False}, RELEASED),
        (OLD_RELEASED | {"antialias": True}, dataclasses.replace(RELEASED, released_antialias=True)),
        (OLD_PAPER | {"antialias": True, "crop_size": 64}, dataclasses.replace(PAPER, crop_size=64)),
    ],
)
def test_older_checkpoints_say_what_follows_from_the_name(written, inputs):
    assert Inputs.from_dict(written) == inputs
    assert (inputs.antialias, inputs.channels) == (written["antialias"], written["channels"])


@pytest.mark.parametrize("other", [{"antialias": False}, {"channels": "bgr"}, {"normalise": False}])
def test_a_variant_that_is_no_convention_is_refused(other):
    with pytest.raises(ValueError, match="paper inputs have no such variant"):
        Inputs.from_dict(OLD_PAPER | other)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "papr"}, "expected one of released, paper"),
        ({"crop_size": 0}, "crop_size=0: expected a positive number of pixels"),
        ({"picture_size": -70}, "picture_size=-70"),
        ({"name": "paper", "released_antialias": True}, "are always antialiased"),
    ],
)
def test_impossible_inputs_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Inputs(**fields)
