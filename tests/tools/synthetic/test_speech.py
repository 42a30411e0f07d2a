"""Speech-like sound and the mouth that goes with it."""

import numpy as np
import pytest

from lipfd_jax.tools.synthetic.speech import RATE, draw_speech

VOICE = {"pitch": 120.0, "loudness": -26.0, "hiss": -56.0}


def _speak(seed, frames=75):
    return draw_speech(np.random.default_rng(seed), frames=frames, fps=25, **VOICE)


def test_sound_and_mouth_have_the_clip_s_length():
    speech = _speak(0, frames=60)
    assert speech.sound.shape == (60 * RATE // 25,)
    assert speech.sound.dtype == np.float32
    assert speech.opening.shape == speech.spread.shape == (60,)
    assert 0 <= speech.opening.min() < 0.05  # lips close
    assert 0.4 < speech.opening.max() <= 1
    assert np.abs(speech.spread).max() <= 1


def test_loudness_is_the_one_asked_for():
    for seed in range(4):
        rms = np.sqrt(np.mean(_speak(seed).sound ** 2))
        assert 20 * np.log10(rms) == pytest.approx(VOICE["loudness"], abs=0.3)


def test_the_mouth_follows_the_sound():
    """Open frames are the loud ones; the mouth of other speech does not fit."""
    own, other = [], []
    for seed in range(6):
        speech, stranger = _speak(seed), _speak(100 + seed)
        loudness = np.log(np.mean(speech.sound.reshape(75, -1) ** 2, 1))
        own.append(np.corrcoef(loudness, speech.opening)[0, 1])
        other.append(np.corrcoef(loudness, stranger.opening)[0, 1])
    assert np.mean(own) > 0.5
    assert np.mean(other) < 0.25


def test_voice_has_the_pitch_and_pauses_hold_only_the_hiss():
    sound = _speak(3, frames=100).sound.astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size))) ** 2
    hertz = np.fft.rfftfreq(sound.size, 1 / RATE)
    assert spectrum[(hertz > 80) & (hertz < 1000)].sum() > 0.5 * spectrum.sum()
    quietest = np.sort([np.sqrt(np.mean(block**2)) for block in sound.reshape(-1, 320)])[:3].mean()
    assert 20 * np.log10(quietest) == pytest.approx(VOICE["hiss"], abs=3)


def test_two_draws_of_a_voice_have_the_same_long_term_spectrum():
    """What could tell the forger's sound from the real one, were it drawn from another distribution."""
    bands = []
    for group in (range(0, 12), range(50, 62)):
        power = np.mean([np.abs(np.fft.rfft(_speak(seed).sound)) ** 2 for seed in group], 0)
        bands.append(10 * np.log10([part.mean() for part in np.array_split(power, 8)]))
    np.testing.assert_allclose(bands[0], bands[1], atol=2.5)
