"""Frozen pictures: repeated frames, also as encoders keep them, for longer than 0.3 s."""

import numpy as np

from lipfd_jax.preprocessing.stillness import StillMeter

RNG = np.random.default_rng(0)
BOUNDS = np.arange(51) / 25


def _find(frames):
    meter = StillMeter()
    for frame in frames:
        meter.add_frame(frame)
    return np.flatnonzero(meter.find_frozen(BOUNDS)).tolist()


def _moving(count=50):
    return list(RNG.integers(0, 255, (count, 90, 160), np.uint8))


def test_repeated_frames_are_frozen_with_the_one_they_repeat():
    frames = _moving()
    frames[10:30] = [frames[10]] * 20
    assert _find(frames) == list(range(10, 30))


def test_frames_shown_twice_or_for_a_moment_are_not():
    pairs = [frame for frame in _moving(25) for _ in "ab"]
    assert _find(pairs) == []
    frames = _moving()
    frames[10:17] = [frames[10]] * 7
    assert _find(frames) == []


def test_what_an_encoder_refines_and_a_key_frame_renews_is_still_frozen():
    frames = _moving()
    base = np.clip(frames[10], 20, 235)
    frames[10:30] = [base + RNG.integers(-1, 2, base.shape).astype(np.uint8) for _ in range(20)]
    renewed = base.copy()
    renewed[::4, ::4] += 16
    frames[20:30] = [renewed] * 10
    assert _find(frames) == list(range(10, 30))


def test_a_small_moving_mouth_is_no_frozen_picture():
    base = RNG.integers(0, 255, (90, 160), np.uint8)
    frames = [base.copy() for _ in range(50)]
    for number, frame in enumerate(frames):
        frame[60:66, 70:82] = 40 + 10 * (number % 5)
    assert _find(frames) == []


def test_a_change_of_size_is_a_change():
    assert _find(_moving(25) + list(RNG.integers(0, 255, (25, 45, 80), np.uint8))) == []
