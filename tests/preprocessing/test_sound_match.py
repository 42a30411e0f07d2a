"""Shift between two recordings of one sound: whatever was done to them; other sounds are unrelated."""

import numpy as np
import pytest
import soxr

from lipfd_jax.preprocessing.mel import SAMPLE_RATE
from lipfd_jax.preprocessing.sound_match import TOLERANCE, match_sounds
from tests.drawn_speech import draw_speech

SPEECH, OTHER = draw_speech(0), draw_speech(1)
RNG = np.random.default_rng(2)


def _delay(samples, seconds):
    count = round(abs(seconds) * SAMPLE_RATE)
    return samples[count:] if seconds < 0 else np.concatenate([np.zeros(count, np.float32), samples])


def _telephone(samples):
    return soxr.resample(np.round(soxr.resample(samples, SAMPLE_RATE, 8000) * 60) / 60, 8000, SAMPLE_RATE)


def _noisy(samples):
    return samples + RNG.normal(0, 0.5 * samples.std(), len(samples)).astype(np.float32)


@pytest.mark.parametrize("change", [np.copy, np.negative, _telephone, _noisy, lambda x: 0.01 * x])
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.3, -1.0])
def test_a_shift_is_measured_whatever_was_done_to_the_sound(change, delay):
    found = match_sounds(_delay(SPEECH, delay), change(SPEECH))
    assert found.relation == "same"
    assert found.shift == pytest.approx(delay, abs=0.01)


def test_samples_that_are_equal_need_no_envelopes(monkeypatch):
    monkeypatch.setattr("lipfd_jax.preprocessing.sound_match._compute_envelopes", None)
    assert match_sounds(SPEECH, 0.5 * SPEECH[:-5000]).shift == 0


@pytest.mark.parametrize("swap", [False, True])
def test_one_may_be_a_part_of_the_other(swap):
    part, begin = SPEECH[3 * SAMPLE_RATE : 7 * SAMPLE_RATE], 3.0
    found = match_sounds(part, SPEECH) if swap else match_sounds(SPEECH, part)
    assert found.relation == "same"
    assert found.shift == pytest.approx(-begin if swap else begin, abs=0.01)


def test_another_sound_is_unrelated():
    assert match_sounds(SPEECH, OTHER).relation == "unrelated"
    assert match_sounds(SPEECH, SPEECH[::-1].copy()).relation == "unrelated"


@pytest.mark.parametrize(
    "other",
    [
        np.zeros(len(SPEECH), np.float32),
        np.float32(RNG.normal(0, 0.1, len(SPEECH))),
        np.float32(np.sin(np.arange(len(SPEECH)) * 2 * np.pi * 50 / SAMPLE_RATE)),
        SPEECH[:SAMPLE_RATE],
        np.zeros(0, np.float32),
    ],
    ids=["silence", "noise", "hum", "a second", "nothing"],
)
def test_what_can_not_be_compared_is_unknown(other):
    assert match_sounds(SPEECH, other).relation == "unknown"
    assert match_sounds(other, SPEECH).relation == "unknown"


def test_a_shift_that_changes_is_said_with_its_places():
    slow = soxr.resample(SPEECH, 100, 103)
    found = match_sounds(SPEECH, slow)
    assert found.relation == "changing"
    for place, shift in found.places:
        assert shift == pytest.approx(place / 1.03 - place, abs=0.03)
    middle = len(SPEECH) // 2
    cut = np.concatenate([SPEECH[:middle], SPEECH[middle + SAMPLE_RATE // 2 :]])
    found = match_sounds(SPEECH, cut)
    assert found.relation == "changing"
    assert found.places[0][1] == pytest.approx(0, abs=0.01)
    assert found.places[-1][1] == pytest.approx(0.5, abs=0.01)


def test_sounds_that_repeat_are_taken_as_unshifted():
    beats = np.tile(OTHER[: SAMPLE_RATE // 2], 20)
    noisy = beats + RNG.normal(0, 0.3 * beats.std(), len(beats)).astype(np.float32)
    assert abs(match_sounds(beats, noisy).shift) < TOLERANCE
