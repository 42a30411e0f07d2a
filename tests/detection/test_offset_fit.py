"""OffsetFit of lips and sound: found where it is, with its size and place, and not where there is none."""

import numpy as np
import pytest

from lipfd_jax.detection.lip_sync import LipSync
from lipfd_jax.detection.offset_fit import OffsetFit, fit_offset
from lipfd_jax.detection.quality_warnings import find_sound_cautions
from lipfd_jax.detection.sound import SoundTrack
from lipfd_jax.faces.tracks import FaceTrack
from lipfd_jax.preprocessing.mel import COLUMNS_PER_SECOND
from lipfd_jax.preprocessing.voice import STEP_SECONDS
from tests.scans import make_scan

SECONDS = 60.0
TIMES = np.arange(0, SECONDS, 0.04)
SCAN = make_scan(TIMES)


def _draw_loudness(rng):
    """Loudness (n,) of drawn syllables, a value every 10 ms."""
    parts = []
    while sum(map(len, parts)) < SECONDS * 100:
        syllable = np.sin(np.pi * np.linspace(0, 1, rng.integers(9, 33)))
        parts += [rng.uniform(0.03, 0.1) * syllable, np.zeros(rng.integers(3, 24))]
    return np.concatenate(parts) + 1e-4


def _draw(spoken_at, *, seed=0, noise=0.5, shots=1):
    """Tracks and sound; `spoken_at(t)`: when what is heard at t is seen on the lips."""
    rng = np.random.default_rng(seed)
    loudness = _draw_loudness(rng)
    moments = np.arange(len(loudness)) / 100
    steps = np.arange(0, SECONDS, STEP_SECONDS) + STEP_SECONDS / 2
    columns = np.arange(round(SECONDS * COLUMNS_PER_SECOND)) / COLUMNS_PER_SECOND
    heard, power = (np.interp(spoken_at(t), moments, loudness) for t in (steps, columns))
    block = np.float32(rng.exponential(size=(128, len(columns))) * power**2)
    sound = SoundTrack(0.0, (block,), np.float32(heard), np.float32(2 * heard), np.ones(len(heard), bool))
    opening = np.interp(TIMES, moments, np.log10(loudness))
    mouth = np.stack([np.abs(np.gradient(opening)), opening, opening], axis=1)
    mouth = np.float32(mouth / mouth.std(axis=0) + rng.normal(0, noise, mouth.shape))
    return [_make_track(frames, mouth) for frames in np.array_split(np.arange(len(TIMES)), shots)], sound


def _make_track(frames, mouth):
    boxes, fit = np.zeros((len(frames), 4)), np.full(len(frames), "")
    return FaceTrack(frames, boxes, fit, False, "dlib", mouth[frames])


@pytest.mark.parametrize(("rate", "shots"), [(1.01, 1), (0.99, 8), (1.03, 1)])
def test_an_offset_that_grows_is_found_with_its_size(rate, shots):
    fit = fit_offset(*_with_scan(_draw(lambda t: t / rate, shots=shots)))
    assert fit.step is None
    assert fit.begin < 6
    assert fit.end > 54
    for place, offset in ((fit.begin, fit.first), (fit.end, fit.last)):
        assert -offset == pytest.approx(place * (1 - 1 / rate), abs=0.15)


def test_one_that_changes_at_once_is_found_with_its_place():
    fit = fit_offset(*_with_scan(_draw(lambda t: t - 0.6 * (t > 25))))
    assert fit.step == pytest.approx(25, abs=3)
    assert fit.first == pytest.approx(0, abs=0.1)
    assert fit.last == pytest.approx(-0.6, abs=0.1)


@pytest.mark.parametrize("shift", [0.4, -1.0, 2.0])
@pytest.mark.parametrize("shots", [1, 20])
def test_a_constant_offset_is_found_in_shots_of_any_length(shift, shots):
    fit = fit_offset(*_with_scan(_draw(lambda t: t - shift, noise=2.0, shots=shots)))
    assert fit.is_constant
    assert -fit.first == pytest.approx(shift, abs=0.1)


@pytest.mark.parametrize("rate", [1.0, 1.001])
def test_nothing_is_found_where_lips_and_sound_are_in_step(rate):
    assert fit_offset(*_with_scan(_draw(lambda t: t / rate))) is None


def test_lips_that_do_not_follow_the_sound_have_no_offset():
    tracks, _ = _draw(lambda t: t, seed=1)
    _, sound = _draw(lambda t: t, seed=2)
    assert fit_offset(tracks, SCAN, sound) is None
    assert fit_offset(tracks, SCAN, None) is None
    assert fit_offset([], SCAN, sound) is None


def test_the_warning_gives_size_and_place_and_replaces_that_of_the_offset():
    _, sound = _draw(lambda t: t)
    shifted = [LipSync(0.3, 0.4, 9.0)]
    (growing,) = find_sound_cautions(sound, shifted, OffsetFit(0.4, -0.04, 71.2, -0.71))
    assert growing.key == "drift"
    assert "in step at 0:00, 0.7 s apart at 1:11" in growing.text
    assert growing.serious
    (sudden,) = find_sound_cautions(sound, shifted, OffsetFit(2.0, 0.0, 71.0, 0.4, 35.2))
    (constant,) = find_sound_cautions(sound, [], OffsetFit(2.0, 0.4, 71.0, 0.4))
    assert constant.key == "offset"
    assert "in step until about 0:35, 0.4 s apart from there on" in sudden.text


def _with_scan(drawn):
    tracks, sound = drawn
    return tracks, SCAN, sound
