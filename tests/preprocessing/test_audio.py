"""Sound: the same samples as librosa's from any container, the mel picture block by block, damage named."""

import librosa
import numpy as np
import pytest

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing import audio
from lipfd_jax.preprocessing.audio import mel_picture, read_sound


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(44100, 2, "PCM_16"), (16000, 1, "FLOAT"), (22050, 1, "PCM_24")]
)
def test_samples_equal_librosas(tmp_path, studio, rate, channels, subtype):
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (rate * 2 + 17, channels))
    path = studio.write_wav(tmp_path / "a.wav", noise, rate, subtype)
    expected, _ = librosa.load(path, sr=22050)
    np.testing.assert_array_equal(read_sound(path).samples, expected)


def test_track_in_a_video_starts_when_its_timestamps_say(tmp_path, studio):
    path = studio.write_video(tmp_path / "a.mkv", 50, sound=studio.chirp(1.5), sound_start=0.5)
    sound = read_sound(path)
    assert sound.start == pytest.approx(0.5)
    assert sound.seconds == pytest.approx(1.5, abs=1e-3)


def test_mel_picture_does_not_depend_on_the_blocks(monkeypatch, studio):
    samples = np.float32(studio.chirp(7, 22050) + np.random.default_rng(0).normal(0, 1e-3, 7 * 22050))
    whole = mel_picture(samples)
    monkeypatch.setattr(audio, "_BLOCK", 50)
    difference = np.abs(mel_picture(samples).astype(int) - whole)
    assert whole.shape == (128, 1 + len(samples) // 512, 3)
    assert difference.max() <= 1


def test_mel_blocks_are_the_same_whatever_the_pieces(monkeypatch):
    monkeypatch.setattr(audio, "_BLOCK", 50)
    samples = np.random.default_rng(0).normal(0, 0.1, 5 * 22050).astype(np.float32)
    whole = np.concatenate(list(audio.mel_blocks([samples])), axis=1)
    assert whole.shape == (128, 1 + len(samples) // 512)
    for size in (100, 7000, 60000):
        pieces = [samples[first : first + size] for first in range(0, len(samples), size)]
        np.testing.assert_array_equal(np.concatenate(list(audio.mel_blocks(pieces)), axis=1), whole)


def test_mel_rises_with_the_tone(studio):
    green = mel_picture(np.float32(studio.chirp(6, 22050)))[..., 1].astype(
        int
    )  # viridis: green rises with the value
    loudest = green[:, 5:-5].argmax(axis=0)
    assert (np.diff(loudest) >= -1).all()
    assert loudest[-1] > loudest[0] + 20


def test_silence_is_told(tmp_path, studio):
    assert read_sound(studio.write_wav(tmp_path / "a.wav", np.zeros(16000))).silent
    assert not read_sound(studio.write_wav(tmp_path / "b.wav", studio.chirp(1))).silent
    assert mel_picture(np.zeros(22050, np.float32)).shape == (128, 44, 3)


def _nan(studio, path):
    return studio.write_wav(path, np.r_[studio.chirp(1), np.nan], subtype="FLOAT")


def _few(studio, path):
    return studio.write_wav(path, studio.chirp(1)[:10])


def _none(studio, path):
    return studio.write_wav(path, np.zeros(0))


def _text(studio, path):
    path.write_text("no sound at all\n" * 50)
    return path


def _empty(studio, path):
    path.write_bytes(b"")
    return path


def _header_only(studio, path):
    studio.write_wav(path, studio.chirp(1))
    path.write_bytes(path.read_bytes()[:30])
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_nan, "NaN"),
        (_few, "14 samples"),
        (_none, ""),
        (_text, "decoded"),
        (_empty, "empty"),
        (_header_only, ""),
    ],
)
def test_damaged_sound_is_named(tmp_path, studio, make, reason):
    path = make(studio, tmp_path / "broken.wav")
    with pytest.raises(ClipError, match=rf"broken\.wav: .*{reason}"):
        read_sound(path)


def test_sound_without_end_is_refused(tmp_path, studio, monkeypatch):
    monkeypatch.setattr("lipfd_jax.preprocessing.containers.MAX_SECONDS", 2.0)
    with pytest.raises(ClipError, match="minutes"):
        read_sound(studio.write_wav(tmp_path / "a.wav", studio.chirp(3)))
