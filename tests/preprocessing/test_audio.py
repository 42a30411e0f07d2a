"""Sound: librosa's samples from any container, mel images computed in blocks, damage named."""

from fractions import Fraction

import av
import librosa
import numpy as np
import pytest

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing import audio, memory_limit, sound_placement
from lipfd_jax.preprocessing.audio import make_mel_image, read_sound
from lipfd_jax.preprocessing.clip_task import attempt_task
from lipfd_jax.preprocessing.containers import open_container


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(44100, 2, "PCM_16"), (16000, 1, "FLOAT"), (22050, 1, "PCM_24")]
)
def test_samples_equal_librosas(tmp_path, studio, rate, channels, subtype):
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (rate * 2 + 17, channels))
    path = studio.write_wav(tmp_path / "a.wav", noise, rate, subtype)
    expected, _ = librosa.load(path, sr=22050)
    np.testing.assert_array_equal(read_sound(path).samples, expected)


def test_a_codec_hidden_in_a_wav_is_heard_by_its_first_64_kilobytes(tmp_path, studio):
    """As DTS and AC-3 on discs; probing further would take longer than decoding."""
    raw = tmp_path / "a.ac3"
    with av.open(str(raw), "w") as container:
        stream = container.add_stream("ac3", rate=48000, layout="stereo")
        noise = np.random.default_rng(0).normal(0, 0.1, (2, 1536)).astype(np.float32)
        for _ in range(60):
            frame = av.AudioFrame.from_ndarray(noise, "fltp", "stereo")
            frame.sample_rate = 48000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    hidden = np.frombuffer(raw.read_bytes(), "<i2").reshape(-1, 2)
    path = studio.write_wav(tmp_path / "a.wav", hidden, 48000, "PCM_16")
    with open_container(path) as container:
        assert container.streams.best("audio").codec_context.name == "ac3"


def test_track_in_a_video_starts_when_its_timestamps_say(tmp_path, studio):
    path = studio.write_video(tmp_path / "a.mkv", 50, sound=studio.chirp(1.5), sound_start=0.5)
    sound = read_sound(path)
    assert sound.start == pytest.approx(0.5)
    assert sound.seconds == pytest.approx(1.5, abs=1e-3)


def test_mel_picture_does_not_depend_on_the_blocks(monkeypatch, studio):
    samples = np.float32(studio.chirp(7, 22050) + np.random.default_rng(0).normal(0, 1e-3, 7 * 22050))
    whole = make_mel_image(samples)
    monkeypatch.setattr(audio, "_BLOCK", 50)
    difference = np.abs(make_mel_image(samples).astype(int) - whole)
    assert whole.shape == (128, 1 + len(samples) // 512, 3)
    assert difference.max() <= 1


def test_mel_blocks_are_the_same_whatever_the_pieces(monkeypatch):
    monkeypatch.setattr(audio, "_BLOCK", 50)
    samples = np.random.default_rng(0).normal(0, 0.1, 5 * 22050).astype(np.float32)
    whole = np.concatenate(list(audio.compute_mel_blocks([samples])), axis=1)
    assert whole.shape == (128, 1 + len(samples) // 512)
    for size in (100, 7000, 60000):
        pieces = [samples[first : first + size] for first in range(0, len(samples), size)]
        np.testing.assert_array_equal(np.concatenate(list(audio.compute_mel_blocks(pieces)), axis=1), whole)


def test_mel_rises_with_the_tone(studio):
    green = make_mel_image(np.float32(studio.chirp(6, 22050)))[..., 1].astype(
        int
    )  # viridis: green rises with the value
    loudest = green[:, 5:-5].argmax(axis=0)
    assert (np.diff(loudest) >= -1).all()
    assert loudest[-1] > loudest[0] + 20


def test_silence_is_told(tmp_path, studio):
    assert read_sound(studio.write_wav(tmp_path / "a.wav", np.zeros(16000))).is_silent
    assert not read_sound(studio.write_wav(tmp_path / "b.wav", studio.chirp(1))).is_silent
    assert make_mel_image(np.zeros(22050, np.float32)).shape == (128, 44, 3)


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


def _with_gap(path, rate, seconds):
    """A short tone, a gap of some seconds, and the tone again."""
    tone = np.int16(20000 * np.sin(np.arange(rate // 5) * 0.05))[None]
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for start in (0, seconds):
            piece = av.AudioFrame.from_ndarray(tone, layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = rate, round(start * rate), Fraction(1, rate)
            container.mux(track.encode(piece))
        container.mux(track.encode())
    return path


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_a_long_gap_is_the_silence_that_resampling_gives(tmp_path, monkeypatch, rate):
    path = _with_gap(tmp_path / "a.mkv", rate, 17.3)
    short = read_sound(path).samples
    monkeypatch.setattr(sound_placement, "_LONG_GAP", 1000)
    whole = read_sound(path).samples
    assert len(short) == len(whole) == round(17.5 * 22050)
    np.testing.assert_allclose(short, whole, atol=1e-6)


def test_half_an_hour_of_nothing_takes_little_memory(tmp_path):
    """768 kHz and a gap of half an hour: 5.5 GB of zeros if created at that rate at once."""
    path = _with_gap(tmp_path / "a.mkv", 768_000, 1790)
    clip = Clip("0_real/a", path, None, 0, "a")
    outcome = attempt_task(
        lambda clip: len(read_sound(clip.path).samples), clip, base=memory_limit.private_bytes()
    )
    assert (outcome.problem, outcome.result) == ("", pytest.approx(1790.2 * 22050, abs=1))
