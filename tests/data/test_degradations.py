"""Degradations: each changes frames, all alike, and the same way in a window and its twin."""

import cv2
import numpy as np
import pytest

from lipfd_jax.data.degradations import (
    OPERATIONS,
    Degradation,
    DegradationSettings,
    apply_degradation,
    draw_degradation,
)

ALWAYS = DegradationSettings(any=1.0, **dict.fromkeys(OPERATIONS, 1.0))


@pytest.fixture(scope="module")
def frames():
    values = np.random.default_rng(0).integers(40, 210, (2, 48, 48, 3)).astype(np.uint8)
    return np.stack([cv2.resize(one, (112, 112), interpolation=cv2.INTER_CUBIC) for one in values])


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_changes_every_frame_and_keeps_its_form(frames, name):
    before = frames.copy()
    changed = apply_degradation(Degradation(((name, 0.7, 3),)), frames)
    assert (changed.shape, changed.dtype) == (frames.shape, np.uint8)
    assert all((a != b).mean() > 0.05 for a, b in zip(changed, frames, strict=True))
    np.testing.assert_array_equal(frames, before)


def test_twins_are_degraded_alike(frames):
    twin = frames.copy()
    twin[:, 60:80, 40:70] = 128
    for seed in range(10):
        drawn = draw_degradation(np.random.default_rng(seed), DegradationSettings(any=1.0, compress=0))
        ours, theirs = apply_degradation(drawn, frames), apply_degradation(drawn, twin)
        np.testing.assert_array_equal(ours[:, :48], theirs[:, :48])  # away from what differs


def test_noise_differs_between_frames():
    flat = np.full((2, 64, 64, 3), 128, np.uint8)
    noisy = apply_degradation(Degradation((("noise", 1.0, 0),)), flat)
    assert not np.array_equal(noisy[0], noisy[1])
    assert 6 < noisy.std() < 8


@pytest.mark.parametrize("name", ["relight", "recolour", "blur", "rescale", "sharpen", "compress"])
def test_the_others_treat_all_frames_alike(frames, name):
    same = apply_degradation(Degradation(((name, 0.7, 3),)), np.stack([frames[0]] * 2))
    np.testing.assert_array_equal(same[0], same[1])


def test_equal_seeds_give_equal_bytes(frames):
    drawn = [draw_degradation(np.random.default_rng(5), ALWAYS) for _ in range(2)]
    assert drawn[0] == drawn[1]
    np.testing.assert_array_equal(*(apply_degradation(one, frames) for one in drawn))


def test_nothing_happens_as_often_as_wanted(frames):
    drawn = [draw_degradation(np.random.default_rng(seed)) for seed in range(400)]
    assert 0.3 < np.mean([not one.steps for one in drawn]) < 0.5
    off = draw_degradation(np.random.default_rng(0), DegradationSettings(any=0.0))
    np.testing.assert_array_equal(apply_degradation(off, frames), frames)


def test_steps_come_in_their_order():
    steps = draw_degradation(np.random.default_rng(0), ALWAYS).steps
    assert [name for name, _, _ in steps] == list(OPERATIONS)


def test_any_shape():
    frames = np.random.default_rng(0).integers(0, 255, (1, 97, 131, 3)).astype(np.uint8)
    drawn = draw_degradation(np.random.default_rng(0), ALWAYS)
    assert apply_degradation(drawn, frames).shape == frames.shape
