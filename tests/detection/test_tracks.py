"""Tracks and channels in builds and detection: sound fits the frames, and results say what was used."""

import numpy as np
import pytest

from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.extraction import extract_windows
from lipfd_jax.preprocessing.track_choices import TrackRequest
from tests.coded import TOLERANCE, UNDISTURBED, build_windows, detect_windows, draw_pictures, draw_sound
from tests.media_files import FORMS, Pictures, Sounds, write_streams, write_wav

SECONDS = 3.0
PICTURES = Pictures(draw_pictures(np.arange(75) / 25))
OWN, OTHER = draw_sound(SECONDS), draw_sound(SECONDS, 10.0, seed=1)  # the latter is of another time
SILENCE = np.zeros_like(OWN)
NOISE = np.float32(0.005 * np.random.default_rng(0).standard_normal(len(OWN)))


def _write(tmp_path, *sounds, form="mkv", codec=None, pictures=(PICTURES,)):
    tracks = [s if isinstance(s, Sounds) else Sounds(s, codec=codec) for s in sounds]
    return write_streams(tmp_path / f"a.{FORMS[form].suffix}", [*pictures, *tracks], FORMS[form])


def _assert_in_step(path, shift=0.0, **tracks):
    built = build_windows(path, tracks=TrackRequest(**tracks))
    names = {"audio": "audio_track", "video": "video_track"}
    detected, found = detect_windows(path, **{names[kind]: value for kind, value in tracks.items()})
    assert len(built) == len(detected) == 10
    offs = np.array([window.off for window in (*built, *detected)])
    assert np.abs(offs - shift - UNDISTURBED).max() <= TOLERANCE, offs.round(3)
    return found.result


def _keys(result):
    return {caution.key for caution in result.cautions} - {"untested_crop", "narrow_sound"}


MEAN, LEFT, CENTRE = "the mean of all channels", "the left channel", "the centre channel"


@pytest.mark.parametrize(
    ("channels", "used"),
    [
        ((OWN, OWN), MEAN),
        ((OWN, SILENCE), MEAN),
        ((OWN, -OWN), LEFT),
        ((OWN, -0.98 * OWN), LEFT),
        ((NOISE, NOISE, OWN, SILENCE, NOISE, NOISE), CENTRE),
        ((NOISE, NOISE, OWN, SILENCE, NOISE, NOISE, NOISE, NOISE), CENTRE),
    ],
    ids=["same", "left only", "opposite", "almost opposite", "5.1", "7.1"],
)
def test_sound_of_any_channels_is_in_step(tmp_path, channels, used):
    result = _assert_in_step(_write(tmp_path, np.stack(channels), codec="flac"))
    assert result.file.sound["used"] == used
    assert _keys(result) == ({"cancelling_channels"} if used == LEFT else set())


def test_sixteen_channels_are_read(tmp_path):
    sound = Sounds(np.stack([OWN] * 16), codec="pcm_s16le", layout="hexadecagonal")
    _assert_in_step(_write(tmp_path, sound))


@pytest.mark.parametrize("form", ["mkv", "mp4", "ts h264"])
def test_a_silent_first_track_is_passed_over(tmp_path, form):
    result = _assert_in_step(_write(tmp_path, SILENCE, OWN, form=form))
    assert (result.file.sound["track"], result.file.sound["tracks"]) == (2, 2)
    assert _keys(result) == {"several_sounds"}


def test_of_two_languages_the_one_asked_for_is_taken(tmp_path):
    path = _write(tmp_path, Sounds(OTHER, language="eng"), Sounds(OWN, language="ger"))
    assert _keys(_assert_in_step(path, shift=10.0)) == {"several_voices"}
    for asked in ("2", "deu", "de"):
        result = _assert_in_step(path, audio=asked)
        assert (_keys(result), result.file.sound["language"]) == (set(), "deu")
    with pytest.raises(ClipError, match="no sound track 3; the file has 2 sound tracks"):
        detect_windows(path, audio_track="3")
    with pytest.raises(ClipError, match="no sound track fra"):
        build_windows(path, tracks=TrackRequest("fra"))


def test_of_two_video_tracks_the_one_asked_for_is_read(tmp_path):
    later = Pictures(draw_pictures(10 + np.arange(75) / 25))
    path = _write(tmp_path, OWN, form="mp4", pictures=(PICTURES, later))
    result = _assert_in_step(path)
    assert (_keys(result), result.file.video["track"]) == ({"several_pictures"}, 1)
    result = _assert_in_step(path, shift=-10.0, video=2)
    assert (_keys(result), result.file.video["track"]) == (set(), 2)


def test_a_cover_before_the_video_is_not_read(tmp_path):
    cover = Pictures(PICTURES.frames[:1], codec="png", pixels="rgb24")
    assert not _keys(_assert_in_step(_write(tmp_path, OWN, form="mp4", pictures=(cover, PICTURES))))


def test_a_track_is_asked_of_the_file_that_the_sound_is_taken_from(tmp_path):
    path, folder = _write(tmp_path, OTHER), tmp_path / "b"
    folder.mkdir()
    beside = _write(folder, Sounds(SILENCE), Sounds(OWN, language="deu"))
    windows, found = detect_windows(path, sound=beside, audio_track="deu", compare_sound=False)
    assert np.abs([window.off - UNDISTURBED for window in windows]).max() <= TOLERANCE
    assert (found.result.file.sound["track"], found.result.file.sound["file"]) == (2, "a.mkv")


def test_a_wav_beside_the_video_needs_no_track_in_it(tmp_path):
    path = _write(tmp_path, OWN)
    clip = Clip("0_real/a", path, write_wav(tmp_path / "a.wav", OWN), 0, "a")
    assert extract_windows(clip, tracks=TrackRequest("deu")).warnings == ()


def test_a_build_names_the_track_that_is_used(tmp_path):
    clip = Clip("0_real/a", _write(tmp_path, SILENCE, np.stack([OWN, -OWN])), None, 0, "a")
    assert extract_windows(clip).warnings == (
        "sound track 2 of 2 is used; only the left channel is used, as the channels cancel each other out",
    )


@pytest.mark.parametrize("tracks", [{"audio_track": "first"}, {"video_track": -1}])
def test_settings_refuse_what_can_be_no_track(tracks):
    with pytest.raises(ValueError, match=next(iter(tracks))):
        DetectionSettings(**tracks)
