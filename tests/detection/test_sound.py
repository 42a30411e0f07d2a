"""Sound as a stream: strips of short clips equal those of records, long ones are scaled over 8 s."""

from dataclasses import replace

import numpy as np
import pytest

from lipfd_jax.detection.sound import (
    STEP_SECONDS,
    SoundTrack,
    find_scaling_context,
    find_sound_reasons,
    read_sound_track,
)
from lipfd_jax.listing.clips import Clip
from lipfd_jax.preprocessing.audio import colour_mel, make_mel_image, read_sound
from lipfd_jax.preprocessing.extraction import extract_windows
from lipfd_jax.preprocessing.mel import COLUMNS_PER_SECOND


def _heard(voice, peak=None):
    voice = np.asarray(voice, bool)
    peak = np.where(voice, 0.5, 0.01) if peak is None else peak
    return SoundTrack(0.0, (np.ones((128, 10), np.float32),), np.float32(peak), np.float32(peak), voice)


def test_strips_of_clips_up_to_8_s_are_those_of_records_to_the_bit(media):
    wav = media / "AVLips/wav/0_real/2.wav"
    windows = extract_windows(Clip("0_real/2", media / "AVLips/0_real/2.mp4", wav, 0, "2")).cut_windows
    heard = read_sound_track(wav, 100)
    for window in windows:
        first, last = np.rint(
            np.array([window.start_frame, window.start_frame + 5]) / 25 * COLUMNS_PER_SECOND
        )
        np.testing.assert_array_equal(heard.cut_mel_image(int(first), int(last)), window.mel)


def test_a_long_sound_is_scaled_over_the_8_s_around(tmp_path):
    import soundfile

    loud = np.random.default_rng(0).normal(0, 0.001, 22050 * 30)
    loud[22050 * 25 :] *= 500  # far away from what is looked at
    soundfile.write(tmp_path / "a.wav", loud, 22050)
    heard = read_sound_track(tmp_path / "a.wav", 100)
    whole = make_mel_image(read_sound(tmp_path / "a.wav").samples)
    near = heard.cut_mel_image(430, 440)
    begin, end = find_scaling_context(430, 440, heard.columns)
    np.testing.assert_array_equal(near, colour_mel(heard.mel_power(begin, end))[:, 430 - begin : 440 - begin])
    assert near.mean() > whole[:, 430:440].mean() + 20  # the loud end leaves it no colours
    assert end - begin == 345
    assert (begin + end) // 2 == pytest.approx(435, abs=1)


def test_the_context_stays_inside_the_sound():
    assert find_scaling_context(0, 9, 4000) == (0, 345)
    assert find_scaling_context(3990, 3999, 4000) == (3655, 4000)
    assert find_scaling_context(100, 109, 366) == (0, 366)  # 8.5 s: whole


def test_reasons_of_the_sound():
    voice = np.zeros(400, bool)
    voice[100:200] = True  # 3 to 6 s
    voice[230:300] = True  # after a pause of 0.9 s, to 9 s
    peak = np.where(voice, 0.5, 0.01)
    peak[340:] = 0  # nothing at all from 10.2 s on, which is more than half of the rest
    heard = _heard(voice, peak)
    times = np.array([-1.0, 1.0, 4.0, 6.45, 8.0, 11.0, 13.0])
    assert find_sound_reasons(heard, times).tolist() == [
        "no_sound", "no_speech", "", "", "", "silent", "no_sound"
    ]  # fmt: skip
    assert set(find_sound_reasons(None, times)) == {"no_sound"}


def test_speech_is_told_from_noise_and_silence(media, tmp_path):
    import soundfile

    spoken = read_sound_track(media / "real/hyper_video1.mp4", 100)
    assert spoken.voice.mean() > 0.7
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", np.concatenate([np.zeros(44100), rng.normal(0, 0.01, 44100)]), 22050)
    quiet = read_sound_track(tmp_path / "a.wav", 100)
    assert len(quiet.voice) == pytest.approx(4 / STEP_SECONDS, abs=2)
    middles = np.array([1.0, 3.0])
    assert not set(find_sound_reasons(quiet, middles)) & {""}


def test_damage_is_marked_and_a_damaged_track_is_not_refused(film, spoil, tmp_path):
    black, tone = np.zeros((64, 64, 3), np.uint8), np.sin(np.arange(66150) / 9)
    path = film(tmp_path / "a.mp4", [black] * 75, sound=tone, rate=22050)
    spoil(path, "audio", 1.5)
    heard = read_sound_track(path, 100)
    assert heard.damaged
    assert all(abs(place - 1.5) < 0.2 for place in heard.damaged)
    marked = replace(heard, voice=np.ones(len(heard.voice), bool))
    middles = np.array([0.5, 1.3, 1.7, 2.5])
    assert find_sound_reasons(marked, middles).tolist() == ["", "damaged", "damaged", ""]
    anywhere = replace(marked, damaged=(float("nan"),))
    assert set(find_sound_reasons(anywhere, middles)) == {"damaged"}


def test_a_track_that_is_damaged_through_and_through_is_no_crash(film, spoil, tmp_path):
    black, tone = np.zeros((64, 64, 3), np.uint8), np.sin(np.arange(22050) / 9)
    path = film(tmp_path / "a.mp4", [black] * 25, sound=tone, rate=22050)
    for time in np.arange(0, 1.2, 0.02):
        spoil(path, "audio", time)
    heard = read_sound_track(path, 100)
    assert len(heard.damaged) > 5
    assert "" not in find_sound_reasons(heard, np.array([0.1, 0.5, 0.9]))
