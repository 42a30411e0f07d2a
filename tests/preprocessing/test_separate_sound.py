"""A wav next to a video is placed in time by the video's own track, which must hold the same sound."""

import numpy as np
import pytest
import soxr

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.clock_reading import read_clock
from lipfd_jax.preprocessing.extraction import extract_windows
from lipfd_jax.preprocessing.mel import SAMPLE_RATE
from lipfd_jax.preprocessing.separate_sound import place_separate_sound
from tests.drawn_speech import draw_speech

SECONDS = 6.0
SPEECH, OTHER = draw_speech(3, SECONDS), draw_speech(4, SECONDS)
TRACK = soxr.resample(SPEECH, SAMPLE_RATE, 16000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("separate_sound")


@pytest.fixture(scope="module")
def video(studio, folder):
    return studio.write_video(folder / "x.mkv", round(SECONDS * 25), sound=TRACK)


@pytest.fixture(scope="module")
def late(studio, folder):
    """Its track begins half a second after its first frame."""
    return studio.write_video(
        folder / "late.mkv", round(SECONDS * 25), sound=TRACK[: -len(TRACK) // 12], sound_start=0.5
    )


def _place(video, samples):
    return place_separate_sound(video, samples, read_clock(video))


def _make_clip(studio, video, samples, name="x.wav"):
    wav = studio.write_wav(video.parent / name, soxr.resample(samples, SAMPLE_RATE, 44100), 44100)
    return Clip("0_real/x", video, wav, 0, "x")


def _mel(extraction):
    return np.concatenate([window.mel for window in extraction.cut_windows], axis=1)


@pytest.mark.parametrize("cut", [0.0, 0.01, 0.03])
def test_a_small_shift_changes_nothing(video, cut):
    placed = _place(video, SPEECH[round(cut * SAMPLE_RATE) :])
    assert placed.start == read_clock(video).start
    assert not placed.warning


def test_a_wav_that_begins_with_the_track_is_moved_to_it(late, video, studio):
    """As a track is extracted that begins after the picture."""
    heard = SPEECH[: -len(SPEECH) // 12]
    assert _place(late, heard).start == pytest.approx(0.5, abs=0.01)
    found = extract_windows(_make_clip(studio, late, heard, "late.wav"))
    assert any("0.50 s after the first frame" in warning for warning in found.warnings)
    own = extract_windows(Clip("0_real/x", late, None, 0, "x"))
    assert np.abs(_mel(found).astype(int) - _mel(own)).mean() < 6


def test_one_that_lacks_its_beginning_begins_later(video):
    placed = _place(video, SPEECH[SAMPLE_RATE:])
    assert placed.start == pytest.approx(1.0, abs=0.01)
    assert placed.shift == pytest.approx(1.0, abs=0.01)


def test_one_with_a_silence_before_it_begins_earlier(video):
    placed = _place(video, np.concatenate([np.zeros(SAMPLE_RATE // 4, np.float32), SPEECH]))
    assert placed.start == pytest.approx(-0.25, abs=0.01)
    assert "before" in placed.warning


def test_another_sound_is_refused_with_the_reason(video, studio):
    clip = _make_clip(studio, video, OTHER, "other.wav")
    with pytest.raises(ClipError, match=r"other\.wav: another sound than the track inside"):
        extract_windows(clip)


def test_one_that_drifts_is_refused_with_its_places(video):
    fault = _place(video, soxr.resample(SPEECH, 100, 106)).fault
    assert "drifts away" in fault
    assert "-0.3" in fault


def test_released_windows_are_kept_and_warned_of(video, studio):
    clip = _make_clip(studio, video, OTHER, "other.wav")
    found = extract_windows(clip, "released")
    assert any("another sound" in warning for warning in found.warnings)


@pytest.mark.parametrize("sound", [None, np.zeros(96000, np.float32)], ids=["no track", "silent track"])
def test_without_a_sound_to_compare_it_begins_with_the_first_frame(studio, tmp_path, sound):
    video = studio.write_video(tmp_path / "x.mkv", 100, sound=sound)
    assert _place(video, OTHER).start == read_clock(video).start
    clip = _make_clip(studio, video, OTHER)
    assert not any("wav" in warning for warning in extract_windows(clip).warnings)
