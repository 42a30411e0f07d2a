"""One video from file to result: known stretches come out, and the result is of its schema."""

import jsonschema
import numpy as np
import pytest

from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.result import load_schema
from lipfd_jax.listing.clips import ClipError


@pytest.fixture(scope="session")
def video(film, grainy, speech, tmp_path_factory):
    """Real to 4 s, forged (bright) to 7 s, no face to 9 s, a face without sound to 12 s."""
    pictures = grainy(60, 100) + grainy(240, 75) + grainy(0, 50) + grainy(60, 75)
    sound = np.concatenate([speech[: 9 * 22050], np.zeros(3 * 22050, np.float32)])
    return film(tmp_path_factory.mktemp("single") / "a.mp4", pictures, sound=sound, rate=22050)


def test_known_stretches_come_out_within_half_a_second(video, model, one_face):
    result = detect_video(model, video).result
    jsonschema.validate(result.to_json(), load_schema())
    (found,) = [s for face in result.faces for s in face.suspicions]
    assert (found.start, found.end) == (pytest.approx(4, abs=0.5), pytest.approx(7, abs=0.5))
    gaps = {gap.reason: (gap.start, gap.end) for gap in result.not_judged}
    assert gaps["no_face"] == (pytest.approx(7, abs=0.5), pytest.approx(9, abs=0.5))
    assert gaps["silent"] == (pytest.approx(9, abs=0.5), pytest.approx(12, abs=0.5))
    assert result.outcome in ("moderate", "inconclusive")
    assert not any(face.outcome == "strong" for face in result.faces)


def test_what_is_not_judged_is_not_scored(video, model, one_face):
    result = detect_video(model, video).result
    for face in result.faces:
        for window in face.windows:
            assert not any(gap.start < window.end and gap.end > window.start for gap in face.not_judged)


def test_without_sound_nothing_is_judged(film, grainy, tmp_path, model, one_face):
    result = detect_video(model, film(tmp_path / "a.mp4", grainy(60, 50))).result
    jsonschema.validate(result.to_json(), load_schema())
    assert result.outcome == "not_judged"
    assert [gap.reason for gap in result.not_judged] == ["no_sound"]
    assert model.scored == 0


def test_sound_from_another_file(film, grainy, tmp_path, model, one_face, speech):
    import soundfile

    soundfile.write(tmp_path / "a.wav", speech[: 3 * 22050], 22050)
    silent = film(tmp_path / "a.mp4", grainy(60, 75))
    result = detect_video(model, silent, sound=tmp_path / "a.wav").result
    assert result.outcome == "none"
    assert result.file.sound["file"] == "a.wav"


def test_a_sound_file_is_placed_by_the_videos_own_track(film, grainy, tmp_path, model, one_face, speech):
    import soundfile

    soundfile.write(tmp_path / "late.wav", speech[22050 // 2 : 5 * 22050], 22050)
    soundfile.write(tmp_path / "other.wav", speech[::-1][: 5 * 22050], 22050)
    video = film(tmp_path / "a.mp4", grainy(60, 125), sound=speech[: 5 * 22050], rate=22050)
    own = detect_video(model, video).result
    moved = detect_video(model, video, sound=tmp_path / "late.wav").result
    (caution,) = {caution for caution in moved.cautions if caution.key == "moved_sound"}
    assert "moved by 0.5 s" in caution.text
    assert moved.faces[0].windows[-1].start == own.faces[0].windows[-1].start
    with pytest.raises(ClipError, match=r"other\.wav: another sound .* --compare_sound=false"):
        detect_video(model, video, sound=tmp_path / "other.wav")
    dubbed = DetectionSettings(compare_sound=False)
    assert detect_video(model, video, sound=tmp_path / "other.wav", settings=dubbed).result.faces


def test_pictures_as_they_are(video, model):
    result = detect_video(model, video, settings=DetectionSettings(crop="none")).result
    (face,) = result.faces
    assert all(window.square is None for window in face.windows)
    assert "untested_crop" in [caution.key for caution in result.cautions]


def test_windows_never_exceed_the_budget(video, model, one_face):
    detect_video(model, video, settings=DetectionSettings(max_windows=6, refined=2))
    assert model.scored <= 8


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mp4", b""),
        ("b.mp4", b"a shopping list"),
        ("c.mp4", b"#EXTM3U\nhttp://127.0.0.1/a.ts\n"),
        ("d.avi", b"RIFF\xff\xff\xff\xffAVI LIST" + bytes(100)),
    ],
)
def test_what_is_no_video_is_named(tmp_path, model, one_face, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ClipError, match=name):
        detect_video(model, tmp_path / name)


@pytest.mark.parametrize("values", [{"crop": "all"}, {"max_windows": 0}, {"stride": -1.0}, {"refined": -1}])
def test_settings_without_sense_are_named(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        DetectionSettings(**values)


def test_damaged_stretches_are_not_judged_and_said(film, grainy, tmp_path, model, one_face, speech, spoil):
    path = film(tmp_path / "a.mp4", grainy(60, 125), sound=speech[:110250], rate=22050)
    spoil(path, "video", 2.4)
    spoil(path, "audio", 4.2)
    result = detect_video(model, path).result
    assert {"corrupt", "damaged_sound"} <= {caution.key for caution in result.cautions}
    assert result.outcome == "inconclusive"  # two serious warnings
    missing = [(s.start, s.end) for s in result.faces[0].not_judged if s.reason == "damaged"]
    assert missing[0] == pytest.approx((2.16, 3.0), abs=0.1)
    assert missing[1] == pytest.approx((3.7, 4.7), abs=0.2)
    assert result.faces[0].windows
    for window in result.faces[0].windows:
        assert all(window.end <= start + 0.01 or window.start >= end - 0.01 for start, end in missing)
