"""Warnings: each appears where it applies, with its effect on the result, and not for usual videos."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.detection import quality_warnings
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.lip_sync import LipSync, measure_lip_sync
from lipfd_jax.detection.sound import SoundTrack
from lipfd_jax.detection.texts import EFFECTS_ON_PICTURES, WARNINGS
from lipfd_jax.faces.framing import Square
from lipfd_jax.faces.tracks import FaceTrack
from lipfd_jax.preprocessing.mel import COLUMNS_PER_SECOND
from lipfd_jax.preprocessing.voice import STEP_SECONDS
from tests.scans import make_scan

RNG = np.random.default_rng(0)
USUAL = make_scan(np.arange(250) / 25)
SQUARE = Square(100, 100, 224)


def _keys(found):
    return [caution.key for caution in found]


def _heard(loudness, blocks=None):
    """A sound of steps of 30 ms of this loudness, all of it taken for speech; its spectrum is noise."""
    loudness = np.float32(loudness)
    columns = np.interp(
        np.arange(430) / COLUMNS_PER_SECOND, (np.arange(len(loudness)) + 0.5) * STEP_SECONDS, loudness
    )
    blocks = blocks or (np.float32(RNG.exponential(size=(128, 430)) * columns**2),)
    return SoundTrack(0.0, blocks, loudness, 2 * loudness, np.ones(len(loudness), bool))


def _syllables(seconds=10.0):
    """Loudness of speech as drawn: syllables of uneven length and strength, with gaps between them."""
    parts = []
    while sum(map(len, parts)) < seconds / STEP_SECONDS:
        syllable = np.sin(np.pi * np.linspace(0, 1, RNG.integers(3, 11)))
        parts += [RNG.uniform(0.03, 0.1) * syllable, np.zeros(RNG.integers(1, 8))]
    return np.concatenate(parts)[: round(seconds / STEP_SECONDS)] + 1e-4


def test_a_usual_video_has_no_warnings():
    assert quality_warnings.find_frame_cautions(USUAL, [SQUARE] * 5) == []
    assert quality_warnings.find_sound_cautions(_heard(_syllables()), [LipSync(0.4, 0.0, 9.0)]) == []
    assert quality_warnings.find_selection_cautions(DetectionSettings(), 0, 8.0) == []
    assert quality_warnings.find_checkpoint_cautions("paper") == []


@pytest.mark.parametrize(
    ("change", "square", "key"),
    [
        ({}, Square(100, 100, 120), "small_face"),
        ({"times": np.arange(250) / 12.5, "end": 20.0}, SQUARE, "low_frame_rate"),
        ({"bytes": 200_000}, SQUARE, "compression"),
        ({"corrupt": 3}, SQUARE, "corrupt"),
        ({"clock": dataclasses.replace(USUAL.clock, promised=20.0, missing=10.0)}, SQUARE, "cut_off"),
        ({"clock": dataclasses.replace(USUAL.clock, joins=(4.0,))}, SQUARE, "joined"),
        ({}, Square(-60, 100, 224), "padded"),
    ],
)
def test_odd_videos_are_warned_of(change, square, key):
    found = quality_warnings.find_frame_cautions(dataclasses.replace(USUAL, **change), [square] * 5)
    assert _keys(found) == [key]
    assert found[0].effect
    assert "{" not in found[0].text


def test_a_sound_with_an_empty_upper_range_is_warned_of():
    (low,) = _heard(_syllables()).blocks
    low[90:] = 0
    assert _keys(quality_warnings.find_sound_cautions(_heard(_syllables(), (low,)), [])) == ["narrow_sound"]


@pytest.mark.parametrize(("shift", "expected"), [(0.0, []), (0.32, ["offset"]), (-1.0, ["offset"])])
def test_sound_and_lips_shifted_against_each_other_are_warned_of(shift, expected):
    """The mouth is as open as the sound is loud, earlier or later."""
    heard = _heard(_syllables())
    middles = (np.arange(len(heard.loudness)) + 0.5) * STEP_SECONDS
    opening = np.interp(USUAL.times + shift, middles, np.log10(heard.loudness + 1e-4))
    mouth = np.stack([np.abs(np.gradient(opening)), opening, opening], axis=1)
    mouth = np.float32(mouth + RNG.normal(0, [0.05, 0.2, 0.2], (250, 3)))
    track = FaceTrack(np.arange(250), np.zeros((250, 4)), np.full(250, ""), False, "dlib", mouth)
    measured = measure_lip_sync(track, USUAL, heard)
    assert _keys(quality_warnings.find_sound_cautions(heard, [measured])) == expected
    assert measured.offset == pytest.approx(-shift, abs=0.1)


def test_what_was_chosen_is_warned_of():
    found = quality_warnings.find_selection_cautions(DetectionSettings(crop="none"), 2, 1.5)
    assert _keys(found) == ["short", "left_out", "untested_crop"]
    assert _keys(quality_warnings.find_checkpoint_cautions("released")) == ["released_windows"]


def test_every_warning_says_what_it_does_to_the_result():
    assert all(words.effect for words in WARNINGS.values())


def test_a_small_face_is_told_by_what_the_model_can_use():
    (found,) = quality_warnings.find_frame_cautions(USUAL, [Square(100, 100, 120)], face_side=448)
    assert "120 pixels, of up to 448" in found.text


def test_warnings_about_sound_do_not_move_the_score_of_a_detector_without_hearing():
    keys = ("offset", "narrow_sound", "low_frame_rate")
    made = [quality_warnings.make_caution(key, "7") for key in keys]
    found = quality_warnings.with_effects_on_pictures(made)
    assert [caution.text for caution in found] == [caution.text for caution in made]
    assert all("does not hear" in caution.effect for caution in found[:2])
    assert found[2] == made[2]
    for effect, _ in EFFECTS_ON_PICTURES.values():
        assert "score" in effect
