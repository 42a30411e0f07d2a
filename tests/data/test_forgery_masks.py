"""Masks of pseudo-forgeries: their shapes, edges and trembling."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.data.forgery_masks import SHAPES, Mask, MaskSettings, draw_mask, locate_masks, make_masks

PLAIN = Mask("mouth", scale=1.0, move=(0, 0), ramp=0.0, elastic=0.0, jitter=0.0, opacity=1.0, seed=0)
MOUTH = (0.57, 0.5)  # row and column of the lips, in shares of the side


def _at(mask, place):
    return mask[tuple(int(share * len(mask)) for share in place)]


@pytest.mark.parametrize("side", [97, 224, 448])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_covers_the_mouth_and_leaves_the_corners(shape, side):
    masks = make_masks(dataclasses.replace(PLAIN, shape=shape), 2, side)
    assert (masks.shape, masks.dtype) == ((2, side, side), np.float32)
    assert _at(masks[0], MOUTH) == 1
    assert masks[:, -1].max() == 0
    assert masks[:, 0, 0].max() == 0
    assert 0.05 < masks.mean() < 0.65


def test_the_face_box_lies_where_squares_are_framed():
    mask = make_masks(dataclasses.replace(PLAIN, shape="face_box"), 1, 448)[0]
    _, columns = locate_masks(mask[None])
    np.testing.assert_allclose([columns.start / 448, columns.stop / 448], [1 / 7, 6 / 7], atol=0.005)


@pytest.mark.parametrize("shape", ["mouth", "jaw", "lower_half", "mouth_box"])
def test_small_shapes_leave_the_eyes(shape):
    assert make_masks(dataclasses.replace(PLAIN, shape=shape), 1, 224)[0, : int(0.3 * 224)].max() == 0


def test_a_wide_ramp_has_more_values_between():
    hard, soft = (make_masks(dataclasses.replace(PLAIN, ramp=ramp), 1, 224) for ramp in (0.0, 0.1))
    between = [np.mean((mask > 0) & (mask < 1)) for mask in (hard, soft)]
    assert 5 * between[0] < between[1]


def test_opacity_bounds_the_mask():
    assert make_masks(dataclasses.replace(PLAIN, opacity=0.7), 1, 224).max() == np.float32(0.7)


def test_only_jitter_moves_a_mask_between_frames():
    still = make_masks(dataclasses.replace(PLAIN, elastic=0.02), 3, 224)
    np.testing.assert_array_equal(still[0], still[1])
    moved = make_masks(dataclasses.replace(PLAIN, jitter=0.01), 3, 224)
    assert not np.array_equal(moved[0], moved[1])


def test_an_elastic_edge_is_another_with_another_seed():
    masks = [make_masks(dataclasses.replace(PLAIN, elastic=0.03, seed=seed), 1, 224) for seed in (0, 1)]
    assert not np.array_equal(*masks)


def test_a_weight_of_zero_leaves_a_shape_out():
    only = MaskSettings(**dict.fromkeys(SHAPES, 0.0) | {"jaw": 1.0})
    assert {draw_mask(np.random.default_rng(seed), only).shape for seed in range(20)} == {"jaw"}


def test_every_shape_is_drawn():
    assert {draw_mask(np.random.default_rng(seed)).shape for seed in range(100)} == set(SHAPES)


def test_a_mask_of_nothing_has_no_place():
    assert locate_masks(np.zeros((2, 8, 8), np.float32)) is None
