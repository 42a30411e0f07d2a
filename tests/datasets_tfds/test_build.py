"""The whole build on tiny clips: what is in it, bad inputs, resuming, the same bytes every way."""

import dataclasses
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds

from datasets_tfds import build, report
from datasets_tfds.avlips.make_dummy_data import (
    FOLDER,
    chirp,
    moving_bars,
    write_clips,
    write_video,
    write_wav,
)
from datasets_tfds.build_settings import BuildError, select_settings
from lipfd_jax.data.sources import is_synthetic_source, open_source
from lipfd_jax.listing.synthetic_mark import mark_synthetic
from lipfd_jax.preprocessing import encoding
from lipfd_jax.vocabulary import CLASSES, COMPOSITE_SHAPE

DUMMY_WINDOWS = 8  # of a clip of 12 frames
_PNG = encoding.encode_png(np.zeros((8, 8, 3), np.uint8))


def _build(manual_dir, data_dir, *, config="avlips", workers=0, changes=None, **options):
    settings = select_settings(config, **(changes or {}))
    return build.build(
        manual_dir=str(manual_dir), data_dir=str(data_dir), settings=settings, workers=workers, **options
    )


def _sums(folder):
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(pathlib.Path(folder).glob("*.array_record*"))
    }


@pytest.fixture(scope="module")
def dummy(tmp_path_factory):
    """An undisturbed build of the dummy data."""
    return _build(FOLDER, tmp_path_factory.mktemp("dummy"))


def test_every_window_is_there_once_with_its_fields(dummy):
    records = [record for split in dummy.info.splits for record in dummy.as_data_source(split)]
    keys = [(record["video"].decode(), record["window"]) for record in records]
    assert len(keys) == len(set(keys)) == 8 * DUMMY_WINDOWS
    for record in records:
        video = record["video"].decode()
        assert record["label"] == video.startswith("1_fake")
        assert video.endswith("/" + record["source"].decode())
        assert record["windows"] == b"paper"
        assert 0 <= record["start_frame"] <= 7
        assert record["fps"] == 25


def test_no_source_is_in_two_splits(dummy):
    sides = {
        split: {record["source"] for record in dummy.as_data_source(split)} for split in dummy.info.splits
    }
    assert sum(map(len, sides.values())) == len(set().union(*sides.values())) == 4
    assert len(sides) == 3


def test_a_second_build_does_nothing(dummy, capsys):
    before = {p: p.stat().st_mtime_ns for p in pathlib.Path(dummy.data_dir).iterdir()}
    _build(FOLDER, dummy.data_dir_root)
    assert "already built" in capsys.readouterr().out
    assert before == {p: p.stat().st_mtime_ns for p in pathlib.Path(dummy.data_dir).iterdir()}


def test_a_build_of_drawn_people_is_known_as_one(dummy, tmp_path):
    drawn = shutil.copytree(FOLDER, tmp_path / "drawn")
    mark_synthetic(drawn, {})
    _build(drawn, tmp_path / "built")
    assert is_synthetic_source(open_source(str(tmp_path / "built")))
    assert not is_synthetic_source(open_source(str(dummy.data_dir)))


def test_other_settings_are_refused_and_overwrite_builds_again(tmp_path):
    _build(FOLDER, tmp_path)
    with pytest.raises(BuildError, match="salt: 'lipfd', asked for 'other'"):
        _build(FOLDER, tmp_path, changes={"salt": "other"})
    again = _build(FOLDER, tmp_path, changes={"salt": "other"}, overwrite=True)
    assert report.read_report(again.data_path)["settings"]["salt"] == "other"
    with pytest.raises(BuildError, match="no such folder or archive"):
        build.build(
            manual_dir=str(tmp_path / "typo"),
            data_dir=str(tmp_path),
            settings=again.settings,
            overwrite=True,
        )
    assert again.is_prepared()  # nothing was removed


def test_another_split_file_of_the_same_name_is_noticed(tmp_path, capsys):
    rows = "video,source,label,split\n0_real/dummy0,dummy0,0,{}\n"
    path = tmp_path / "splits.csv"
    path.write_text(rows.format("train"))
    builder = _build(FOLDER, tmp_path, changes={"splits_csv": str(path)})
    assert {r["video"] for r in builder.as_data_source("train")} == {b"0_real/dummy0"}
    assert len(report.read_report(builder.data_path)["left_out"]) == 7
    assert "train lacks a class" in capsys.readouterr().out
    path.write_text(rows.format("test"))
    with pytest.raises(BuildError, match="splits_csv"):
        _build(FOLDER, tmp_path, changes={"splits_csv": str(path)})


def test_the_number_of_workers_does_not_matter(dummy, tmp_path):
    other = _build(FOLDER, tmp_path, workers=2)
    assert _sums(other.data_path) == _sums(dummy.data_path)


def test_small_shards_hold_the_same_records(dummy, tmp_path):
    settings = dataclasses.replace(dummy.settings, videos_per_shard=1)
    other = build.build(manual_dir=str(FOLDER), data_dir=str(tmp_path), settings=settings, workers=0)
    assert [info.num_shards for info in other.info.splits.values()] == [4, 2, 2]
    for split in dummy.info.splits:
        assert [r["video"] for r in other.as_data_source(split)] == [
            r["video"] for r in dummy.as_data_source(split)
        ]


def test_a_changed_shard_is_found_and_can_not_be_read(tmp_path):
    folder = pathlib.Path(_build(FOLDER, tmp_path).data_dir)
    settings = select_settings("avlips")
    build.verify_build(str(tmp_path), settings)
    shard = next(folder.glob("*train*"))
    content = bytearray(shard.read_bytes())
    content[5000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(BuildError, match=r"train.*its checksum differs from the report's"):
        build.verify_build(str(tmp_path), settings)
    with pytest.raises(Exception, match="hash mismatch"):
        list(tfds.builder_from_directory(folder).as_data_source("train"))


def _bad(folder):
    """Writes unusable input beside the good clips; returns the names a report must give."""
    real, wavs = folder / "0_real", folder / "wav" / "0_real"
    good, sound = (real / "a.mp4").read_bytes(), (wavs / "a.wav").read_bytes()
    files = {f"cut{share}": good[: len(good) * share // 10] for share in (1, 3, 5, 7, 9)}
    files |= {"empty": b"", "text": b"this is no video\n" * 50, "sound": sound, "picture": _PNG}
    for name, content in files.items():
        (real / f"{name}.mp4").write_bytes(content)
        (wavs / f"{name}.wav").write_bytes(sound)
    for name, count in (("one", 1), ("four", 4)):
        write_video(real / f"{name}.mp4", moving_bars(0, count=count))
        write_wav(wavs / f"{name}.wav", chirp(0, seconds=0.2))
    write_video(real / "mute.mp4", moving_bars(0, count=12))  # neither wav nor track
    for name in ("nosound", "nan"):
        (real / f"{name}.mp4").write_bytes(good)
    write_wav(wavs / "nosound.wav", np.zeros(0))
    soundfile.write(wavs / "nan.wav", np.full(4000, np.nan, np.float32), 8000, subtype="FLOAT")
    (real / "notes.txt").write_text("no video")
    (wavs / "lonely.wav").write_bytes(sound)
    (real / "link.mp4").symlink_to(FOLDER / "0_real" / "dummy0.mp4")
    names = [*files, "one", "four", "mute", "nosound", "nan", "notes.txt", "link.mp4"]
    return {f"0_real/{name}" for name in names} | {"wav/0_real/lonely.wav"}


def _odd(folder):
    """Writes strange but usable input, including names; returns its videos."""
    sizes = {"tiny": (1, 1), "narrow": (2, 64), "wide": (16, 4096)}
    for name, (height, width) in sizes.items():
        pictures = np.zeros((12, height, width, 3), np.uint8)
        pictures[::2] = 90  # one that stands still is not used
        write_video(folder / "1_fake" / f"{name}.mkv", pictures, codec="ffv1", pix_fmt="bgr0")
    names = [*sizes, "日本語 ü 'x'", "long" * 50]
    for name in names[len(sizes) :]:
        write_video(folder / "1_fake" / f"{name}.mp4", moving_bars(0, count=12))
    for name in names:
        write_wav(folder / "wav" / "1_fake" / f"{name}.wav", chirp(0, seconds=0.5))
    return {f"1_fake/{name}" for name in names}


def test_bad_inputs_are_named_and_nothing_else_is_lost(tmp_path):
    write_clips(tmp_path / "data", ("a", "b", "c"))
    bad, odd = _bad(tmp_path / "data"), _odd(tmp_path / "data")
    write_wav(tmp_path / "data" / "wav" / "1_fake" / "b.wav", np.zeros(4000))
    builder = _build(tmp_path / "data", tmp_path / "out", workers=2)
    made = report.read_report(builder.data_path)
    assert {problem["name"] for problem in made["problems"]} == bad
    assert all(problem["reason"] for problem in made["problems"])
    assert [(w["video"], "silent" in w["warnings"][0]) for w in made["warnings"]] == [("1_fake/b", True)]
    records = [record for split in builder.info.splits for record in builder.as_data_source(split)]
    assert {r["video"].decode() for r in records} == odd | {f"{k}/{n}" for k in CLASSES for n in "abc"}
    assert len(records) == made["records"] == (len(odd) + 6) * DUMMY_WINDOWS
    assert all(encoding.rebuild_composite(record).shape == COMPOSITE_SHAPE for record in records)


def test_no_good_video_is_an_error(tmp_path):
    write_video(tmp_path / "data" / "0_real" / "mute.mp4", moving_bars(0, count=12))
    with pytest.raises(BuildError, match="no record could be made"):
        _build(tmp_path / "data", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.array_record*"))


def _start(manual_dir, data_dir, workers):
    command = [sys.executable, "-m", "lipfd_jax", "build", f"--manual_dir={manual_dir}"]
    command += [f"--data_dir={data_dir}", f"--workers={workers}"]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


# How each of the lives ends, and how many processes it has; benchmarks.faults kills in many more places.
KILLS = [(signal.SIGINT, 1), (signal.SIGKILL, 1), (signal.SIGKILL, 0)]


@pytest.mark.slow
def test_a_build_killed_three_times_ends_like_an_undisturbed_one(tmp_path):
    names = tuple(f"clip{number}" for number in range(16))
    write_clips(tmp_path / "data", names, frames=30, size=64)
    undisturbed = _build(tmp_path / "data", tmp_path / "undisturbed")
    draw = random.Random(0)
    parts = tmp_path / "out" / "building"
    for number, workers in KILLS:
        process = _start(tmp_path / "data", tmp_path / "out", workers=workers)
        wanted = len(list(parts.rglob("*.part"))) + draw.randint(1, 4)
        # A new part shows that this life got past its imports; few a life, so that there is work for all.
        while len(list(parts.rglob("*.part"))) < wanted and process.poll() is None:
            time.sleep(0.002)
        assert process.poll() is None
        os.kill(process.pid, number)
        said = process.communicate()[0].decode()
        assert number == signal.SIGKILL or "the same command again to resume" in said, said
    last = _start(tmp_path / "data", tmp_path / "out", workers=0)
    said = last.communicate()[0].decode()
    assert "videos were finished before" in said, said
    folder = pathlib.Path(str(undisturbed.data_dir).replace("undisturbed", "out"))
    assert _sums(folder) == _sums(undisturbed.data_path)
    assert not list((tmp_path / "out").rglob("*incomplete*"))
    assert not list(parts.rglob("*.part"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_input_and_output_that_can_not_be_used_are_one_line_before_anything_is_built(tmp_path, overwrite):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()
    out = tmp_path / "out"
    (out / "avlips/avlips/1.0.0").mkdir(parents=True)  # what --overwrite replaces
    for manual_dir, reason in (
        ("empty", "an empty folder, with neither 0_real and 1_fake nor exactly one archive"),
        ("absent", "no such folder or archive"),
        ("videos", r"write clips\.csv .path,label. and give --config=folder"),
    ):
        with pytest.raises(BuildError, match=reason):
            _build(tmp_path / manual_dir, out, overwrite=overwrite)
    with pytest.raises(ValueError, match=r"file: can't be written to: it is a file, not a folder"):
        _build(FOLDER, tmp_path / "file", overwrite=overwrite)
    with pytest.raises(BuildError, match="built on a disk of this machine"):
        _build(FOLDER, "gs://bucket/data", overwrite=overwrite)


def test_what_a_build_sees_in_its_input_is_printed_once_and_reported(tmp_path, capsys):
    write_clips(tmp_path / "data", ("a", "b"), frames=12, size=96)
    for name in "ab":
        write_wav(tmp_path / "data/0_real" / f"{name}.wav", chirp(0, seconds=0.5))
    rows = "".join(f"0_real\\{name}.mp4;Original;g;0,5\n" for name in "ab")
    (tmp_path / "data" / "clips.csv").write_text(f"path;label;group;start\n{rows}")
    builder = _build(tmp_path / "data", tmp_path / "out", config="folder")
    notes = report.read_report(builder.data_path)["notes"]
    printed = capsys.readouterr().out
    assert [note for note in notes if printed.count(f"  note: {note}\n") != 1] == []
    for part in ("ignored columns: start (2 row", "'original' is read as real", "all clips are real"):
        assert any(part in note for note in notes), notes
    assert sum("no video is in the split validation" in note for note in notes) == 1
    assert any("no face was found in 2 of 2 clips" in note for note in notes)
