"""Sound changed on the strip, compared with the same change made to the samples."""

import cv2
import numpy as np
import pytest
import soxr

from lipfd_jax.perturbations import mel_strips
from lipfd_jax.preprocessing.audio import SAMPLE_RATE, make_mel_image
from lipfd_jax.preprocessing.composite import Window, make_composite
from lipfd_jax.preprocessing.mel import FFT_SIZE, mel_power


@pytest.fixture(scope="module")
def sound():
    """Three seconds like a voice: a buzz with pauses, some breath, a silent beginning."""
    rng = np.random.default_rng(0)
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * time)) / SAMPLE_RATE
    buzz = sum(np.sin(k * pitch) / k for k in range(1, 60))
    loud = (np.sin(2 * np.pi * 2.5 * time) > -0.5) * (time > 0.5)
    return (0.1 * loud * (buzz + 0.3 * rng.standard_normal(len(time)))).astype(np.float32)


@pytest.fixture(scope="module")
def values(sound):
    return mel_strips.read_loudness(make_mel_image(sound))


def _decibels_apart(a, b):
    return mel_strips.RANGE * float(np.abs(a - b).mean())


def test_colours_are_taken_back():
    levels = np.arange(256, dtype=np.float32)[None] / 255
    again = mel_strips.read_loudness(mel_strips.draw_strip(levels))
    assert np.abs(again - levels).max() < 1.6 / 255
    assert (np.rint(255 * again) != np.arange(256)).sum() <= 4
    assert again.min() == 0
    assert again.max() == 1


def test_blends_of_colours_lie_between_their_parts():
    """So that a strip taken from an enlarged picture can be read as well."""
    levels = np.linspace(0, 1, 9, dtype=np.float32)[None]
    blended = mel_strips.read_loudness(cv2.resize(mel_strips.draw_strip(levels), (90, 1)))[0]
    assert (np.diff(blended) > -0.01).all()


def test_band_limit_is_what_resampling_leaves(sound, values):
    through = soxr.resample(soxr.resample(sound, SAMPLE_RATE, 16000), 16000, SAMPLE_RATE)
    true = mel_strips.read_loudness(make_mel_image(through[: len(sound)]))
    limited = mel_strips.limit_band(values)
    assert _decibels_apart(true, values) > 10 * _decibels_apart(true, limited)
    changed = np.flatnonzero((limited != values).any(axis=1))
    assert mel_strips.band_centres()[changed.min() - 1] <= 8000 < mel_strips.band_centres()[changed.min()]
    assert not limited[changed.min() :].any()


@pytest.mark.parametrize("decibels", [25, 40, 55])
def test_noise_is_what_noise_on_the_samples_gives(sound, values, decibels):
    rng = np.random.default_rng(1)
    white = rng.standard_normal(len(sound)).astype(np.float32)
    loudest, power = (_mel_power(s) for s in (sound, white))
    added = white * np.sqrt(loudest.max() / power.mean() * 10 ** (-decibels / 10))
    true = mel_strips.read_loudness(make_mel_image(sound + added))
    approximate = mel_strips.add_noise(values, decibels, rng)
    assert _decibels_apart(true, approximate) < 7
    assert _decibels_apart(true, approximate) < 0.4 * _decibels_apart(true, values)
    assert approximate.dtype == np.float32


def _mel_power(samples):
    return mel_power(np.pad(samples, FFT_SIZE // 2))


def test_noise_covers_more_the_nearer_it_is(values):
    rng = np.random.default_rng(0)
    apart = [
        _decibels_apart(mel_strips.add_noise(values, distance, rng), values) for distance in (70, 50, 30)
    ]
    assert apart == sorted(apart)


def test_gain_shifts_what_is_within_the_scale():
    values = np.array([[0.0, 0.1, 0.5, 0.95]], np.float32)
    np.testing.assert_allclose(mel_strips.apply_gain(values, 8), [[0, 0.2, 0.6, 1.0]], atol=1e-6)
    np.testing.assert_allclose(mel_strips.apply_gain(values, -16), [[0, 0, 0.3, 0.75]], atol=1e-6)


def test_trim_cuts_off_leading_silence_only(values):
    start = int(0.3 * SAMPLE_RATE / 512)
    window = values[:, start : start + 17]  # sound begins at 0.5 s
    trimmed = mel_strips.trim_silence(window, 40)
    silent = int(np.argmax((window > 0.5).any(axis=0)))
    assert silent >= 5
    np.testing.assert_array_equal(trimmed[:, : 17 - silent], window[:, silent:])
    np.testing.assert_array_equal(trimmed[:, 17 - silent :], np.repeat(window[:, -1:], silent, axis=1))
    np.testing.assert_array_equal(mel_strips.trim_silence(trimmed, 40), trimmed)
    nothing = np.zeros((128, 17), np.float32)
    np.testing.assert_array_equal(mel_strips.trim_silence(nothing, 40), nothing)


def test_the_mel_half_of_a_composite_shrinks_to_the_strip_it_was_made_of(values):
    strip = mel_strips.draw_strip(values[:, 30:39])
    whole = make_composite(Window(0, 0, 25.0, strip, np.zeros((5, 8, 8, 3), np.uint8)))
    shrunk = mel_strips.shrink_strip(whole[:500], 25.0)
    assert shrunk.shape == strip.shape
    assert _decibels_apart(mel_strips.read_loudness(shrunk), mel_strips.read_loudness(strip)) < 1.5
    assert mel_strips.shrink_strip(strip, 25.0) is strip
    assert mel_strips.shrink_strip(whole[:500], 0.0).shape == strip.shape  # a picture does not say its rate
    assert mel_strips.shrink_strip(whole[:500], 50.0).shape == (128, 4, 3)
