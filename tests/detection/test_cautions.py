"""Warnings: each comes where it should, says what it does to the result, and stays away from usual videos."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.detection import cautions
from lipfd_jax.detection.hearing import STEP, Heard
from lipfd_jax.detection.settings import Settings
from lipfd_jax.detection.stretches import Agreement, agreement
from lipfd_jax.detection.words import WARNINGS
from lipfd_jax.faces.framing import Square
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack

RNG = np.random.default_rng(0)
USUAL = Scan(640, 480, np.arange(250) / 25, 10.0, (), 0, np.zeros(250, bool), True, 2_000_000, ())
SQUARE = Square(100, 100, 224)


def _keys(found):
    return [caution.key for caution in found]


def _heard(loudness, blocks=None):
    """A sound of steps of 30 ms of this loudness, all of it taken for speech."""
    loudness = np.float32(loudness)
    blocks = blocks or (np.ones((128, 430), np.float32),)
    return Heard(0.0, blocks, loudness, 2 * loudness, np.ones(len(loudness), bool))


def _syllables(seconds=10.0):
    """Loudness of speech as drawn: syllables of uneven length and strength, with gaps between them."""
    parts = []
    while sum(map(len, parts)) < seconds / STEP:
        syllable = np.sin(np.pi * np.linspace(0, 1, RNG.integers(3, 11)))
        parts += [RNG.uniform(0.03, 0.1) * syllable, np.zeros(RNG.integers(1, 8))]
    return np.concatenate(parts)[: round(seconds / STEP)] + 1e-4


def test_a_usual_video_has_no_warnings():
    assert cautions.picture_cautions(USUAL, [SQUARE] * 5) == []
    assert cautions.sound_cautions(_heard(_syllables()), [Agreement(0.4, 0.0, 0.0)]) == []
    assert cautions.choice_cautions(Settings(), 0, 8.0) == []
    assert cautions.checkpoint_cautions("paper") == []


@pytest.mark.parametrize(
    ("change", "square", "key"),
    [
        ({}, Square(100, 100, 120), "small_face"),
        ({"times": np.arange(250) / 12.5, "end": 20.0}, SQUARE, "low_frame_rate"),
        ({"bytes": 200_000}, SQUARE, "compression"),
        ({"corrupt": 3}, SQUARE, "corrupt"),
        ({"promised": 20.0}, SQUARE, "cut_off"),
        ({}, Square(-60, 100, 224), "padded"),
    ],
)
def test_odd_pictures_are_warned_of(change, square, key):
    found = cautions.picture_cautions(dataclasses.replace(USUAL, **change), [square] * 5)
    assert _keys(found) == [key]
    assert found[0].effect
    assert "{" not in found[0].text


def test_sound_without_pauses_is_warned_of():
    steady = 0.1 * (1 + 0.2 * np.sin(np.arange(333)))
    assert _keys(cautions.sound_cautions(_heard(steady), [])) == ["music"]


def test_a_sound_with_an_empty_upper_range_is_warned_of():
    low = np.ones((128, 430), np.float32)
    low[90:] = 0
    assert _keys(cautions.sound_cautions(_heard(_syllables(), (low,)), [])) == ["narrow_sound"]


@pytest.mark.parametrize(("shift", "expected"), [(0.0, []), (0.32, ["offset"]), (-0.32, ["offset"])])
def test_sound_and_lips_shifted_against_each_other_are_warned_of(shift, expected):
    """The mouth moves as loud as the sound is, earlier or later."""
    heard = _heard(_syllables())
    middles = (np.arange(len(heard.loudness)) + 0.5) * STEP
    motion = np.interp(USUAL.times + shift, middles, np.log10(heard.loudness + 1e-4))
    motion = np.float32(motion + RNG.normal(0, 0.2, 250))
    track = FaceTrack(np.arange(250), np.zeros((250, 4)), np.full(250, ""), False, "dlib", motion)
    measured = agreement(track, USUAL, heard)
    assert _keys(cautions.sound_cautions(heard, [measured])) == expected
    if expected:
        assert abs(measured.offset) == pytest.approx(abs(shift), abs=0.05)


def test_what_was_chosen_is_warned_of():
    found = cautions.choice_cautions(Settings(crop="none"), 2, 1.5)
    assert _keys(found) == ["short", "left_out", "untested_crop"]
    assert _keys(cautions.checkpoint_cautions("released")) == ["released_windows"]


def test_every_warning_says_what_it_does_to_the_result():
    assert all(words.effect for words in WARNINGS.values())
