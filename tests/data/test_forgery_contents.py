"""Contents of pseudo-forgeries: every operation, sizes, and what is drawn."""

import dataclasses

import cv2
import numpy as np
import pytest

from lipfd_jax.data.forgery_contents import (
    TEXTURES,
    Content,
    ContentSettings,
    Step,
    draw_content,
    match_colours,
    render,
)
from lipfd_jax.data.forgery_operations import OPERATIONS

PLAIN = Content(
    donor=False, aligned=False, least_fit=-1, cells=0, side=0, enlargement="linear", steps=(), finish=()
)


@pytest.fixture(scope="module")
def patches():
    """Three patches (48, 64) of textures that differ between them."""
    values = np.random.default_rng(0).integers(60, 190, (3, 24, 32, 3)).astype(np.uint8)
    return np.stack([cv2.resize(one, (64, 48), interpolation=cv2.INTER_CUBIC) for one in values])


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_changes_every_patch_and_keeps_its_form(patches, name, strength):
    before = patches.copy()
    changed = OPERATIONS[name](patches, strength, np.random.default_rng(1))
    assert (changed.shape, changed.dtype) == (patches.shape, np.uint8)
    assert all((a != b).mean() > 0.05 for a, b in zip(changed, patches, strict=True))
    np.testing.assert_array_equal(patches, before)
    np.testing.assert_array_equal(changed, OPERATIONS[name](patches, strength, np.random.default_rng(1)))


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"move", "deform", "recolour", "grid", "median"}))
def test_strength_rises(patches, name):
    weak, strong = (
        np.abs(OPERATIONS[name](patches, strength, np.random.default_rng(1)).astype(int) - patches).mean()
        for strength in (0.0, 1.0)
    )
    assert weak < strong


def test_one_patch_has_no_neighbours_in_time(patches):
    same = OPERATIONS["smooth_in_time"](patches[:1], 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(same, patches[:1])


def test_a_generators_side_takes_detail_away(patches):
    sharpness = [cv2.Laplacian(patches[0], cv2.CV_32F).var()]
    for side in (40, 20):
        rendered = render(dataclasses.replace(PLAIN, side=side), patches, 64)
        assert rendered.shape == patches.shape
        sharpness.append(cv2.Laplacian(rendered[0], cv2.CV_32F).var())
    assert sharpness[0] > sharpness[1] > sharpness[2]


def test_a_side_larger_than_the_face_still_takes_detail_away(patches):
    assert not np.array_equal(render(dataclasses.replace(PLAIN, side=190), patches, 64), patches)


def test_nothing_drawn_changes_nothing(patches):
    np.testing.assert_array_equal(render(PLAIN, patches, 64), patches)


def test_steps_work_at_the_generators_size(patches, monkeypatch):
    sizes = []
    monkeypatch.setitem(OPERATIONS, "blur", lambda found, *_: sizes.append(found.shape[1:3]) or found)
    step = (Step("blur", 0.5, 0),)
    render(dataclasses.replace(PLAIN, side=32, steps=step, finish=step), patches, 64)
    assert sizes == [(24, 32), (48, 64)]


@pytest.mark.parametrize("cells", [1, 4])
def test_matched_colours_have_the_wanted_means(patches, cells):
    wanted = np.full_like(patches, (90, 120, 150))
    matched = match_colours(patches, wanted, cells)
    np.testing.assert_allclose(matched.mean((1, 2)), wanted.mean((1, 2)), atol=1.5)
    assert matched.std() > 5


def test_contents_change_texture():
    for seed in range(200):
        content = draw_content(np.random.default_rng(seed))
        assert content.side or content.steps[0].name in TEXTURES
        assert len({step.name for step in content.steps}) == len(content.steps) <= 3


def test_everything_is_drawn():
    contents = [draw_content(np.random.default_rng(seed)) for seed in range(200)]
    assert {step.name for content in contents for step in content.steps} == set(OPERATIONS)
    assert (
        {content.donor for content in contents} == {content.side > 0 for content in contents} == {True, False}
    )
    assert all(content.side == 0 or 64 <= content.side <= 190 for content in contents)


def test_settings_leave_out(patches):
    settings = ContentSettings(donor=0, rendered=0, finish=0, **dict.fromkeys(OPERATIONS, 0.0) | {"smear": 1})
    for seed in range(20):
        content = draw_content(np.random.default_rng(seed), settings)
        assert not content.donor
        assert [step.name for step in content.steps] == ["smear"]
