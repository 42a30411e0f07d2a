"""Which of a file's tracks and channels are taken: those with speech, by one rule, and those asked for."""

import av
import numpy as np
import pytest
import soxr

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.channels import MEAN, take_channel
from lipfd_jax.preprocessing.containers import open_container
from lipfd_jax.preprocessing.speech_likeness import SPEECH, measure_speech
from lipfd_jax.preprocessing.stream_choice import AudioChoice, TrackRequest, choose_audio, choose_video
from tests.coded import draw_pictures, draw_sound
from tests.media_files import FORMS, Pictures, Sounds, write_streams

RATE = 44100
SECONDS = 4.0
PICTURES = Pictures(draw_pictures(np.arange(25) / 25))
TIMES = np.arange(round(SECONDS * RATE)) / RATE


def draw_notes(rate: float = 4.0, seed: int = 0) -> np.ndarray:
    """Draws a melody with overtones over a drum, (n,) float32."""
    rng = np.random.default_rng(seed)
    pitch = 220 * 2 ** (rng.integers(0, 12, round(SECONDS * rate) + 1)[(TIMES * rate).astype(int)] / 12)
    phase, since = 2 * np.pi * np.cumsum(pitch) / RATE, TIMES * rate % 1 / rate
    notes = sum(np.sin(k * phase) / k for k in range(1, 7)) * np.exp(-4 * since)
    return np.float32(0.1 * notes + 0.1 * rng.standard_normal(len(TIMES)) * np.exp(-40 * since))


SPEECH_A, SPEECH_B = draw_sound(SECONDS, seed=0), draw_sound(SECONDS, seed=1)
SILENCE, MUSIC = np.zeros(len(TIMES), np.float32), draw_notes()
CHORD = np.float32(0.1 * sum(np.sin(2 * np.pi * pitch * TIMES) for pitch in (220, 277, 330)))
NOISE = np.float32(0.02 * np.random.default_rng(0).standard_normal(len(TIMES)))


def _write(tmp_path, *sounds, form: str = "mkv", codec: str | None = None):
    tracks = [s if isinstance(s, Sounds) else Sounds(s, RATE, codec=codec) for s in sounds]
    return write_streams(tmp_path / f"a.{FORMS[form].suffix}", [PICTURES, *tracks], FORMS[form])


def _choose(path, audio: str = "") -> AudioChoice:
    with open_container(path) as container:
        return choose_audio(path, container, TrackRequest(audio))


def test_music_silence_and_noise_are_not_like_speech():
    for sound in (SILENCE, MUSIC, CHORD, NOISE, draw_notes(8.0), draw_notes(2.0, 1)):
        assert measure_speech(soxr.resample(sound, RATE, 16000)) < SPEECH
    for sound in (SPEECH_A, SPEECH_B, SPEECH_A + MUSIC * 0.3, 0.01 * SPEECH_A):
        assert measure_speech(soxr.resample(sound, RATE, 16000)) >= SPEECH


@pytest.mark.parametrize("form", ["mkv", "mp4", "ts h264", "mov"])
@pytest.mark.parametrize("first", [SILENCE, MUSIC, CHORD, NOISE], ids=["silence", "music", "chord", "noise"])
def test_a_track_without_speech_is_passed_over(tmp_path, form, first):
    found = _choose(_write(tmp_path, first, SPEECH_A, form=form))
    assert (found.number, found.count, found.spoken) == (2, 2, (2,))


def test_of_two_tracks_with_speech_the_default_one_is_taken_else_the_first(tmp_path):
    assert _choose(_write(tmp_path, SPEECH_A, SPEECH_B)).number == 1
    tracks = [Sounds(SPEECH_A, default=False), Sounds(SPEECH_B, default=True)]
    found = _choose(_write(tmp_path, *tracks))
    assert (found.number, found.spoken, found.requested) == (2, (1, 2), False)


def test_a_commentary_is_no_first_choice(tmp_path):
    tracks = [Sounds(SPEECH_A, title="Director's commentary"), Sounds(SPEECH_B, language="deu")]
    assert _choose(_write(tmp_path, *tracks)).number == 2


def test_where_nobody_speaks_the_first_track_is_taken(tmp_path):
    found = _choose(_write(tmp_path, CHORD, SILENCE))
    assert (found.number, found.spoken) == (1, ())


def test_tracks_are_asked_for_by_number_and_language(tmp_path):
    tracks = [Sounds(SPEECH_A, language="eng"), Sounds(SILENCE, language="ger"), Sounds(SPEECH_B)]
    path = _write(tmp_path, *tracks)
    asked = {"1": 1, "2": 2, "3": 3, "deu": 2, "de": 2, "en-US": 1}
    assert {name: _choose(path, name).number for name in asked} == asked
    found = _choose(path, "de")
    assert (found.language, found.requested) == ("deu", True)
    with pytest.raises(
        ClipError, match=r"no sound track 4; the file has 3 sound tracks \(1: eng, 2: deu, 3: no"
    ):
        _choose(path, "4")
    with pytest.raises(ClipError, match="no sound track fra"):
        _choose(path, "fra")


@pytest.mark.parametrize("audio", ["0", "-1", "1.5", "first", "d"])
def test_what_can_be_no_track_is_refused(audio):
    with pytest.raises(ValueError, match="audio_track"):
        TrackRequest(audio)
    with pytest.raises(ValueError, match="video_track"):
        TrackRequest(video=-1)


@pytest.mark.parametrize("factor", [-1.0, -0.98, -0.9, -1.1])
@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_channels_that_cancel_out_are_not_averaged(tmp_path, factor, codec):
    found = _choose(_write(tmp_path, np.stack([SPEECH_A, factor * SPEECH_A]), codec=codec))
    assert (found.channel, found.cancels) == ("FR" if abs(factor) > 1 else "FL", True)


def test_speech_that_cancels_out_over_music_is_taken_from_one_channel(tmp_path):
    found = _choose(_write(tmp_path, np.stack([SPEECH_A + 0.4 * MUSIC, -SPEECH_A + 0.4 * MUSIC])))
    assert found.channel in ("FL", "FR")
    assert found.cancels


def test_one_channel_is_taken_where_both_cancel_out_for_a_while(tmp_path):
    half = np.where(TIMES < 1.5, -1, 1).astype(np.float32)
    found = _choose(_write(tmp_path, np.stack([SPEECH_A, half * SPEECH_A])))
    assert (found.channel in ("FL", "FR"), found.cancels) == (True, True)


def test_surround_sound_without_a_voice_in_its_centre_may_cancel_out(tmp_path):
    sides = [SPEECH_A, -SPEECH_A, SILENCE, SILENCE, SILENCE, SILENCE]
    assert _choose(_write(tmp_path, np.stack(sides), codec="flac")).channel == "FL"


@pytest.mark.parametrize(
    "channels",
    [
        (SPEECH_A, SPEECH_A),
        (SPEECH_A, 0.3 * SPEECH_A),
        (SPEECH_A, SILENCE),
        (SILENCE, SPEECH_A),
        (SPEECH_A, SPEECH_B),
        (SPEECH_A + NOISE, SPEECH_A - NOISE),
        (SPEECH_A, np.roll(SPEECH_A, 20)),
        (SILENCE, SILENCE),
    ],
)
def test_other_stereo_is_averaged(tmp_path, channels):
    found = _choose(_write(tmp_path, np.stack(channels)))
    assert (found.number, found.channel, found.cancels) == (1, MEAN, False)


def test_speech_is_taken_from_the_centre_of_surround_sound(tmp_path):
    sides = [MUSIC, MUSIC, 0.5 * SPEECH_A, SILENCE, MUSIC, MUSIC]
    assert _choose(_write(tmp_path, np.stack(sides), codec="ac3")).channel == "FC"
    found = _choose(_write(tmp_path, np.stack([NOISE, NOISE, SPEECH_A, SILENCE, *[NOISE] * 4]), codec="flac"))
    assert found.channel == "FC"
    sides = [SPEECH_A, SPEECH_A, SILENCE, SILENCE, 0.1 * SPEECH_A, 0.1 * SPEECH_A]
    assert _choose(_write(tmp_path, np.stack(sides), codec="ac3")).channel == MEAN


def test_a_channel_is_taken_where_the_layout_has_it():
    samples = np.arange(12, dtype=np.float32).reshape(6, 2)
    np.testing.assert_array_equal(take_channel(samples, av.AudioLayout("5.1"), "FC"), samples[2])
    np.testing.assert_array_equal(take_channel(samples[:2], av.AudioLayout("stereo"), "FC"), [1, 2])
    np.testing.assert_array_equal(take_channel(samples[:1], av.AudioLayout("mono"), "FL"), samples[0])
    np.testing.assert_array_equal(take_channel(samples, av.AudioLayout("5.1"), MEAN), samples.mean(axis=0))


def test_a_single_mono_track_is_not_listened_to(tmp_path, monkeypatch):
    path = _write(tmp_path, SPEECH_A)
    monkeypatch.setattr("lipfd_jax.preprocessing.stream_choice.listen", None)
    assert _choose(path) == AudioChoice(1, 1, 1)


def test_a_file_is_listened_to_once(tmp_path, monkeypatch):
    path = _write(tmp_path, SILENCE, SPEECH_A)
    found = _choose(path)
    monkeypatch.setattr("lipfd_jax.preprocessing.track_listening.measure_speech", None)
    assert _choose(path) == found


def test_the_video_stream_is_the_default_one_else_the_first_or_the_one_asked_for(tmp_path):
    def choose(path, video=0):
        with open_container(path) as container:
            found = choose_video(path, container, TrackRequest(video=video))
        return found.number, found.count

    twice = write_streams(tmp_path / "a.mp4", [PICTURES, PICTURES])
    assert (choose(twice), choose(twice, 2)) == ((1, 2), (2, 2))
    with pytest.raises(ClipError, match="no video track 3; the file has 2 video tracks"):
        choose(twice, 3)
    flagged = [Pictures(PICTURES.frames, default=False), Pictures(PICTURES.frames, default=True)]
    assert choose(write_streams(tmp_path / "a.mkv", flagged, FORMS["mkv"])) == (2, 2)


@pytest.mark.parametrize("flagged", [True, False])
def test_a_cover_is_no_video_stream(tmp_path, flagged):
    cover = Pictures(PICTURES.frames[:1], codec="png", pixels="rgb24", cover=flagged)
    path = write_streams(tmp_path / "a.mp4", [cover, PICTURES])
    with open_container(path) as container:
        found = choose_video(path, container)
        assert container.streams[found.index].codec_context.name == "h264"
        assert (found.number, found.count) == (1, 1)
