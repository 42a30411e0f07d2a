"""Clip records: windows cut from them are those that extraction cuts from the video."""

import dataclasses

import numpy as np
import pytest

from datasets_tfds import build, report
from datasets_tfds.build_settings import BuildError, select_settings
from datasets_tfds.records import get_codec, make_records
from lipfd_jax.data import clip_index
from lipfd_jax.data.clip_index import read_clip_index
from lipfd_jax.data.clip_records import decode_clip
from lipfd_jax.data.clip_windows import cut_window
from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.data.data_fingerprint import compute_data_fingerprint
from lipfd_jax.data.labels import read_labels
from lipfd_jax.data.sources import open_source, read_crop
from lipfd_jax.faces import clip_extraction
from lipfd_jax.faces.clip_extraction import ClipForm, extract_face_clips
from lipfd_jax.faces.extraction import extract_face_windows
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.composite import make_composite
from tests.faces.drawn_faces import find_face, write_face

CLIPS = select_settings("clips")
WHOLE = {"width": 240, "side": 150, "left": 45, "top": 20}


def _clip(path, label=0):
    return Clip(f"{('0_real', '1_fake')[label]}/{path.stem}", path, None, label, "anna", "wav2lip" * label)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A clip of a moving face, and what a record of it holds."""
    clip = _clip(write_face(tmp_path_factory.mktemp("faces") / "a.mp4", speed=1.5), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip_extraction, "default_finder", lambda: find_face)
        ((key, fields),) = make_records(clip, CLIPS).records
    assert key == "1_fake/a_0"
    codec = get_codec(CLIPS)
    return clip, decode_clip(codec.parse(codec.serialize(fields)))


def test_a_record_holds_the_clip(recorded):
    clip, found = recorded
    assert (found.video, found.source, found.generator, found.label) == ("1_fake/a", "anna", "wav2lip", 1)
    (made,) = extract_face_clips(clip, ClipForm(), find_face).clips
    for field in dataclasses.fields(made):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(made, field.name), field.name)
    assert len(found.frames) == 30
    assert found.times.dtype == np.float64
    assert (found.fps, found.width, found.height, found.whole) == (25, 320, 240, False)


@pytest.mark.parametrize(
    ("side", "drawing"), [(448, {}), (96, {}), (448, {"speed": 4.0}), (448, WHOLE), (96, WHOLE)]
)
def test_windows_are_those_of_the_video(side, drawing, tmp_path):
    """At native detail, shrunk, of a fast face, and of frames used whole."""
    clip = _clip(write_face(tmp_path / "a.mp4", **drawing))
    (found,) = extract_face_clips(clip, ClipForm(side), find_face).clips
    assert found.whole == (drawing is WHOLE)
    for window in extract_face_windows(clip, find_face, side=side).cut_windows:
        start = int(np.flatnonzero(found.numbers == window.start_frame)[0])
        cut = cut_window(found, start, side=side)
        assert cut.start_frame == window.start_frame
        assert cut.frames.shape == window.frames.shape
        assert np.abs(cut.frames.astype(int) - window.frames).mean() < 2
        np.testing.assert_array_equal(cut_window(found, start, (3, 1), side).frames, cut.frames[[3, 1]])
        assert cut.mel.shape == window.mel.shape
        assert np.abs(cut.mel.astype(int) - window.mel).max() <= 4
        assert make_composite(dataclasses.replace(window, frames=cut.frames)).shape == (1000, 2500, 3)


def test_only_the_frames_asked_for_are_decoded(recorded):
    _, found = recorded
    broken = dataclasses.replace(found, frames=(found.frames[0], *[b"no"] * (len(found.frames) - 1)))
    assert cut_window(broken, 0, (0,)).frames.shape[0] == 1
    with pytest.raises(CorruptRecord, match=r"1_fake/a, part 0, frame 1: .*build the data again"):
        cut_window(broken, 0)


def test_windows_start_where_five_frames_follow(recorded):
    _, found = recorded
    assert found.starts.tolist() == list(range(26))
    with pytest.raises(ValueError, match="no window can start at frame 28"):
        cut_window(found, 28)


def test_a_record_whose_fields_do_not_fit_is_corrupt(recorded):
    _, found = recorded
    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    with pytest.raises(CorruptRecord, match="1_fake/a, part 0"):
        decode_clip({**fields, "frames": fields["frames"][:-1]})


def test_a_long_video_gives_several_records(tmp_path, monkeypatch):
    clip = _clip(write_face(tmp_path / "a.mp4", 110))
    found = extract_face_clips(clip, ClipForm(seconds=1.5), find_face)
    assert [made.part for made in found.clips] == [0, 1, 2]
    assert not found.warnings
    assert all(made.ends[-1] - made.times[0] <= 1.6 for made in found.clips)
    monkeypatch.setattr(clip_extraction, "MOST_PARTS", 2)
    monkeypatch.setattr(clip_extraction, "SOUND_MARGIN", 0.5)
    fewer = extract_face_clips(clip, ClipForm(seconds=1.5), find_face)
    assert [made.times[0] for made in fewer.clips] == [found.clips[k].times[0] for k in (0, 2)]
    assert fewer.warnings == ("2 of 3 clips of up to 1.5 s are taken",)
    last = fewer.clips[1]
    assert 0.45 < last.times[0] - last.sound_start < 0.55
    assert cut_window(last, 0).mel.shape == cut_window(found.clips[2], 0).mel.shape


def test_a_clip_without_a_face_is_refused(tmp_path):
    clip = _clip(write_face(tmp_path / "a.mp4"))
    with pytest.raises(ClipError, match="no face found"):
        extract_face_clips(clip, ClipForm(), lambda picture: [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three videos, one of them of neither class."""
    folder = tmp_path_factory.mktemp("videos")
    for name in ("r.mp4", "f.mp4", "w.mp4"):
        write_face(folder / name)
    rows = "file,label,group,generator,set\nr.mp4,real,anna,,x\nf.mp4,fake,anna,wav2lip,x\n"
    (folder / "clips.csv").write_text(rows + "w.mp4,real_wrong_sound,anna,,x\n")
    return folder


def _build(folder, data_dir, config="clips", **changes):
    settings = select_settings(config, fractions=(1.0, 0.0, 0.0), **changes)
    return build.build(manual_dir=str(folder), data_dir=str(data_dir), settings=settings, workers=0)


@pytest.fixture(scope="module")
def built(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip_extraction, "default_finder", lambda: find_face)
        return _build(folder, tmp_path_factory.mktemp("built"))


def test_a_build_of_clips(built):
    made = report.read_report(built.data_path)
    counts = made["splits"]["train"]
    assert {name: dict(found) for name, found in counts.items()} == {
        "0_real": {"videos": 1, "clips": 1},
        "1_fake": {"videos": 1, "clips": 1},
    }
    assert [(p["name"], "real_wrong_sound" in p["reason"]) for p in made["problems"]] == [("w.mp4", True)]
    assert made["settings"]["clip_quality"] == 95
    source = open_source(str(built.data_dir), split="train", kind="clips")
    assert sorted(decode_clip(source[k]).video for k in range(len(source))) == ["0_real/r", "1_fake/f"]
    assert sorted(read_labels(source)) == [0, 1]
    assert read_crop(source) == "faces"
    assert "train" in compute_data_fingerprint(source).description


def test_the_index_is_read_once(built, monkeypatch):
    source = open_source(str(built.data_dir), split="train", kind="clips")
    found = read_clip_index(source)
    monkeypatch.setattr(clip_index, "decode_clip", None)
    assert read_clip_index(source) == found
    assert [entry.index for entry in found] == [0, 1]
    assert {(entry.video, entry.label, entry.source, entry.generator) for entry in found} == {
        ("0_real/r", 0, "anna", ""),
        ("1_fake/f", 1, "anna", "wav2lip"),
    }
    assert all((entry.part, entry.starts, round(entry.seconds, 3)) == (0, 26, 1.2) for entry in found)
    assert all(abs(entry.side - 1.62 * 80) < 3 for entry in found)


def test_clips_and_windows_are_told_apart(built, tmp_path):
    with pytest.raises(ValueError, match="its records are clips, expected windows; build those with"):
        open_source(str(built.data_dir), split="train")
    (tmp_path / "0_real").mkdir()
    with pytest.raises(ValueError, match=r"its records are windows, expected clips; .*--config=clips"):
        open_source(str(tmp_path), kind="clips")


def test_finished_videos_are_kept_and_other_settings_build_again(folder, built, tmp_path, monkeypatch):
    finds = []

    def find(picture):
        finds.append(1)
        return find_face(picture)

    monkeypatch.setattr(clip_extraction, "default_finder", lambda: find)
    monkeypatch.setattr(report, "check_records", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        _build(folder, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(clip_extraction, "default_finder", lambda: find)
    first = len(finds)
    again = _build(folder, tmp_path)
    assert len(finds) == first
    sums = [report.read_report(one.data_path)["shards"] for one in (built, again)]
    assert sums[0] == sums[1]
    with pytest.raises(BuildError, match="clip_quality: 95, asked for 80"):
        _build(folder, tmp_path, clip_quality=80)


def test_settings_of_clips_are_checked():
    with pytest.raises(ValueError, match="leave out --crop"):
        select_settings("clips", crop="none")
    with pytest.raises(ValueError, match="clip_quality 101: expected 1 to 100"):
        select_settings("clips", clip_quality=101)
    assert select_settings("avlips-clips").held_out
