"""Sound changes on a sine, an impulse, a constant: each does what it says, keeps the length, and repeats."""

import numpy as np
import pytest

from lipfd_jax.perturbations import samples
from lipfd_jax.preprocessing.audio import SAMPLE_RATE

_SECOND = SAMPLE_RATE


def _sine(hertz: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def _peak(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * SAMPLE_RATE / len(samples))


def _power(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize("decibels", [20, 10, 0])
def test_noise_has_the_power_asked_for(decibels):
    sound = _sine(440)
    noisy = samples.add_white_noise(sound, decibels, np.random.default_rng(0))
    assert _power(noisy - sound) == pytest.approx(_power(sound) / 10 ** (decibels / 10), rel=0.02)
    assert np.array_equal(noisy, samples.add_white_noise(sound, decibels, np.random.default_rng(0)))


def test_pitch_moves_a_sine_by_semitones():
    assert _peak(samples.shift_pitch(_sine(440), 3)) == pytest.approx(440 * 2 ** (3 / 12), rel=0.01)
    assert _peak(samples.shift_pitch(_sine(440), -3)) == pytest.approx(440 * 2 ** (-3 / 12), rel=0.01)


def test_resampling_and_band_limits_keep_what_is_inside_and_lose_what_is_not():
    low, high = _sine(1000), _sine(6000)
    for change in (
        lambda sound: samples.resample(sound, 8000),
        lambda sound: samples.limit_band(sound, 300, 3400),
    ):
        assert _power(change(low)) == pytest.approx(_power(low), rel=0.02)
        assert _power(change(high)) < 1e-3 * _power(high)
    assert _power(samples.resample(high, 16_000)) == pytest.approx(_power(high), rel=0.02)


@pytest.mark.parametrize(("codec", "rates"), [("mp3", (64, 16, 8)), ("opus", (64, 16, 8))])
def test_codecs_keep_time_and_lose_more_at_lower_rates(codec, rates):
    sound = np.random.default_rng(0).normal(0, 0.1, 2 * _SECOND).astype(np.float32)
    sound[:_SECOND] = 0
    losses = []
    for rate in rates:
        heard = samples.recode(sound, codec, rate)
        assert heard.shape == sound.shape
        begin = np.flatnonzero(np.abs(heard) > 0.05)[0]
        assert begin == pytest.approx(_SECOND, abs=0.03 * _SECOND)
        losses.append(_power(heard - sound))
    assert losses == sorted(losses)
    assert np.array_equal(heard, samples.recode(sound, codec, rates[-1]))


def test_silence_takes_its_share_in_whole_stretches():
    ones = np.ones(4 * _SECOND, np.float32)
    halves = [samples.silence_stretches(ones, share, np.random.default_rng(1)) for share in (0.25, 0.5, 1.0)]
    assert [float(half.mean()) for half in halves] == pytest.approx([0.75, 0.5, 0.0], abs=0.01)
    assert set(np.unique(halves[0])) == {0, 1}
    assert (halves[1] <= halves[0]).all()  # more silence holds the stretches of less


def test_shift_and_trim_move_an_impulse():
    sound = np.zeros(2 * _SECOND, np.float32)
    sound[_SECOND] = 1
    assert np.flatnonzero(samples.shift(sound, 0.2)).tolist() == [_SECOND + round(0.2 * _SECOND)]
    assert np.flatnonzero(samples.shift(sound, -0.4)).tolist() == [_SECOND - round(0.4 * _SECOND)]
    assert not samples.shift(sound, 3).any()
    trimmed = samples.trim_silence(sound)
    assert np.flatnonzero(trimmed).tolist() == [0]
    assert trimmed.shape == sound.shape
    assert not samples.trim_silence(np.zeros(10, np.float32)).any()
