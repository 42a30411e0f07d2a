"""What goes wrong in a build is said, stops it or not as it should, and the same command mends it."""

import errno
import json
import pathlib
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from datasets_tfds import build, input_fingerprint, report, resume, shards, splits
from datasets_tfds.avlips.make_dummy_data import (
    FOLDER,
    chirp,
    moving_bars,
    write_clips,
    write_video,
    write_wav,
)
from datasets_tfds.build_settings import BuildError, BuildSettings, select_settings
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.storage.errors import MachineError


def _build(data_dir, *, manual_dir=FOLDER, config="avlips", overwrite=False, **changes):
    settings = select_settings(config, **changes)
    return build.build(
        manual_dir=str(manual_dir), data_dir=str(data_dir), settings=settings, workers=0, overwrite=overwrite
    )


def _records(builder):
    return sum(info.num_examples for info in builder.info.splits.values())


def _failing_after(count, error, function):
    calls = []

    def failing(*args, **options):
        calls.append(args)
        if len(calls) > count:
            raise error
        return function(*args, **options)

    return failing


FAULTS = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EIO, "Input/output error"),
    MemoryError(),
]


@pytest.mark.parametrize("error", FAULTS)
@pytest.mark.parametrize(("module", "name"), [(resume, "write_bytes"), (resume, "make_records")])
def test_trouble_of_the_machine_loses_no_clip(tmp_path, monkeypatch, module, name, error):
    with monkeypatch.context() as patch:
        patch.setattr(memory_limit, "available_bytes", lambda: 100 << 20)
        patch.setattr(module, name, _failing_after(3, error, getattr(module, name)))
        with pytest.raises(MachineError if isinstance(error, MemoryError) else type(error)):
            _build(tmp_path)
    builder = _build(tmp_path)
    assert _records(builder) == 64
    assert report.read_report(builder.data_path)["problems"] == []


def test_whatever_one_video_raises_the_others_are_built_and_the_traceback_is_reported(tmp_path, monkeypatch):
    def fail(item, settings):
        if item.video == "0_real/dummy1":
            raise IndexError("list index out of range")
        return make(item, settings)

    make = resume.make_records
    monkeypatch.setattr(resume, "make_records", fail)
    builder = _build(tmp_path)
    assert _records(builder) == 56
    made = report.read_report(builder.data_path)
    [problem] = made["problems"]
    assert problem["name"] == "0_real/dummy1"
    path = FOLDER / "0_real/dummy1.mp4"
    assert problem["reason"] == f"{path}: unexpected IndexError: list index out of range"
    assert "in fail\n" in made["tracebacks"]["0_real/dummy1"]


def test_a_folder_for_records_that_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(BuildError, match=r"data\\xe9: not UTF-8"):
        _build(tmp_path / "data\udce9")


def test_a_full_disk_while_shards_are_written_is_named(tmp_path, monkeypatch):
    def full(path, records):
        raise RuntimeError("the writer's own words")

    adapter = shards.file_adapters.ADAPTER_FOR_FORMAT[shards.file_adapters.FileFormat.ARRAY_RECORD]
    with monkeypatch.context() as patch:
        patch.setattr(adapter, "write_examples", full)
        patch.setattr(shards, "_DISK_FULL", 1 << 60)
        with pytest.raises(OSError, match=r"No space left.*shard"):
            _build(tmp_path)
    assert _records(_build(tmp_path)) == 64


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a small file system of its own")
def test_on_a_disk_that_is_full_the_command_says_so(tmp_path):
    command = f"mount -t tmpfs -o size=450k none {tmp_path} && {sys.executable} -m lipfd_jax build"
    command += f" --manual_dir={FOLDER} --data_dir={tmp_path} --workers=0"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("a small file system can't be mounted here")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "the same command again to resume" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["dataset_info.json", "build_report.json"])
def test_damaged_notes_of_a_build_are_named_and_mended(tmp_path, name):
    folder = pathlib.Path(_build(tmp_path).data_dir)
    (folder / name).write_text("{broken")
    with pytest.raises(BuildError, match=rf"{name}.*--overwrite"):
        _build(tmp_path)
    assert _records(_build(tmp_path, overwrite=True)) == 64
    json.loads((folder / name).read_text())


def test_overwriting_leaves_the_old_build_until_the_new_one_is_whole(tmp_path):
    folder = pathlib.Path(_build(tmp_path / "out").data_dir)
    (tmp_path / "empty" / "0_real").mkdir(parents=True)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (tmp_path / "splits.csv").write_text("video,split\n0_real/nobody,test\n")
    with pytest.raises(BuildError, match="no record"):
        _build(tmp_path / "out", manual_dir=tmp_path / "empty", overwrite=True)
    with pytest.raises(ValueError, match="not in the data"):
        _build(tmp_path / "out", overwrite=True, splits_csv=str(tmp_path / "splits.csv"))
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    write_clips(tmp_path / "new", ("a", "b"))
    builder = _build(tmp_path / "out", manual_dir=tmp_path / "new", overwrite=True)
    assert _records(builder) == 32
    assert [p.name for p in (tmp_path / "out" / "building").iterdir()] == []


def test_a_kill_between_the_steps_of_a_swap_is_mended(tmp_path):
    folder = pathlib.Path(_build(tmp_path).data_dir)
    old = build._replacement_place(tmp_path, select_settings("avlips")) / "old"
    old.parent.mkdir(parents=True)
    folder.rename(old)
    assert _records(_build(tmp_path)) == 64
    assert not old.exists()


def test_a_finished_build_is_not_taken_for_one_of_other_videos(tmp_path):
    _build(tmp_path)
    with pytest.raises(ClipError, match="no such folder"):
        _build(tmp_path, manual_dir=tmp_path / "gone")
    write_clips(tmp_path / "new", ("a",))
    with pytest.raises(BuildError, match=r"holds other videos .2 of them"):
        _build(tmp_path, manual_dir=tmp_path / "new")
    packed = shutil.make_archive(str(tmp_path / "data"), "zip", FOLDER)
    _build(tmp_path, manual_dir=packed)  # the same videos, packed


def test_an_archive_is_known_again_without_unpacking(tmp_path, monkeypatch):
    packed = shutil.make_archive(str(tmp_path / "data"), "zip", FOLDER)
    _build(tmp_path / "out", manual_dir=packed)
    monkeypatch.setattr(input_fingerprint, "list_layout", None)
    _build(tmp_path / "out", manual_dir=packed)


def test_reports_of_earlier_versions_are_understood():
    old = {k: v for k, v in BuildSettings().as_dict().items() if k not in ("layout", "links", "damaged")}
    assert report.compare_settings({**old, "source": "avlips"}, BuildSettings()) == {}
    assert report.compare_settings({**old, "source": "folder"}, BuildSettings()) == {
        "layout": ("folder", "avlips")
    }


@pytest.mark.parametrize(
    "fractions",
    [(float("nan"), 0.5, 0.5), (0.5, 0.5), (1.0, float("nan"), 0.0), (1.5, -0.5, 0.0), (0, 0, 0, 1)],
)
def test_fractions_that_are_none_are_refused(fractions):
    with pytest.raises(ValueError, match="three shares"):
        BuildSettings(fractions=fractions)


@pytest.mark.parametrize(
    ("config", "changes"), [("avlipz", {}), ("avlips", {"efort": 1}), ("avlips", {"damaged": "maybe"})]
)
def test_misspelt_settings_are_named_with_what_there_is(config, changes):
    with pytest.raises(ValueError, match="expected one of"):
        select_settings(config, **changes)


def test_fractions_that_are_no_numbers_are_named():
    command = [
        sys.executable,
        "-m",
        "lipfd_jax",
        "build",
        "--data_dir=x",
        "--manual_dir=x",
        "--fractions=a,b,c",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "--fractions: 'a' is not a number" in done.stderr
    assert "Traceback" not in done.stderr


def _flipped(tmp_path):
    """A clip with one flipped bit that its decoder notices; returns the folder."""
    write_clips(tmp_path / "data", ("good",), frames=30, size=64)
    write_video(tmp_path / "data/0_real/bad.mp4", moving_bars(3, count=30, size=64))
    write_wav(tmp_path / "data/wav/0_real/bad.wav", chirp(0, seconds=1.2))
    path = tmp_path / "data/0_real/bad.mp4"
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 800
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    return tmp_path / "data"


def test_damage_a_decoder_reports_is_refused_or_kept_with_a_warning(tmp_path):
    data = _flipped(tmp_path)
    builder = _build(tmp_path / "refused", manual_dir=data)
    [problem] = report.read_report(builder.data_path)["problems"]
    assert problem["name"] == "0_real/bad"
    assert "damaged" in problem["reason"]
    assert "--damaged=keep" in problem["reason"]
    kept = _build(tmp_path / "kept", manual_dir=data, damaged="keep")
    made = report.read_report(kept.data_path)
    assert made["problems"] == []
    [warning] = made["warnings"]
    assert warning["video"] == "0_real/bad"
    records = [record for split in kept.info.splits for record in kept.as_data_source(split)]
    assert {(r["video"], "damaged: decoders reported" in r["warnings"].decode()) for r in records} == {
        (b"0_real/bad", True),
        (b"0_real/good", False),
        (b"1_fake/good", False),
    }


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((1000, 2500), np.uint8),
        np.zeros((1000, 2500, 3), np.uint16),
        np.zeros((1000, 2500), np.uint16),
        np.zeros((100, 250, 3), np.uint8),
    ],
)
def test_pictures_that_opencv_would_change_silently_are_refused(tmp_path, picture):
    folder = tmp_path / "data" / "0_real"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "a_0.png"), picture)
    cv2.imwrite(str(folder / "b_0.png"), np.zeros((1000, 2500, 3), np.uint8))
    cv2.imwrite(str(folder / "b_100000000000000000000.png"), np.zeros((1000, 2500, 3), np.uint8))
    builder = _build(tmp_path / "out", manual_dir=tmp_path / "data", config="official_val")
    problems = {p["name"]: p["reason"] for p in report.read_report(builder.data_path)["problems"]}
    assert problems.keys() == {"0_real/a", "0_real/b_100000000000000000000.png"}
    assert "expected" in problems["0_real/a"]
    assert _records(builder) == 1


def test_windows_cut_the_other_way_are_not_taken_for_released_ones(tmp_path):
    (tmp_path / "data" / "0_real").mkdir(parents=True)
    (tmp_path / "data" / "windows.txt").write_text("paper\n")
    with pytest.raises(ClipError, match="holds paper windows"):
        _build(tmp_path / "out", manual_dir=tmp_path / "data", config="official_val")


def test_names_that_records_can_not_hold_are_refused_and_printed_harmlessly(tmp_path, capsys):
    data = tmp_path / "data"
    for name in ("a", "b", "c"):
        write_video(data / f"{name}.mp4", moving_bars(0, count=12))
        write_wav(data / f"{name}.wav", chirp(0, seconds=0.5))
    rows = "a.mp4,0,\x1b[31mred,\nb.mp4,1,anna,wav\x072lip\nc.mp4,1,,\nc .mp4,1,,\n"
    (data / "clips.csv").write_text("path,label,group,generator\n" + rows)
    builder = _build(tmp_path / "out", manual_dir=data, config="folder")
    assert [p["name"] for p in report.read_report(builder.data_path)["problems"]] == [
        "a.mp4",
        "b.mp4",
        "c .mp4",
    ]
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00", "CSV in UTF-8"),
        (b"video,split\n" + b"x" * 200_000 + b",train\n", "line 2 can.t be read as CSV"),
        (b"video,split\n0_real/a\n", "split ''"),
    ],
)
def test_files_of_splits_that_are_none_are_named(tmp_path, content, reason):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"s\.csv.*{reason}"):
        splits.read_splits(str(tmp_path / "s.csv"))


def test_folders_that_tfds_takes_for_patterns_are_refused_before_anything_is_built(tmp_path):
    with pytest.raises(BuildError, match="name a folder without them"):
        _build(tmp_path / "a[1]")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["missing", "cut off"])
def test_a_finished_build_without_all_its_shards_is_not_called_finished(built, tmp_path, change):
    shutil.copytree(built, tmp_path / "records")
    [shard, *_] = (tmp_path / "records").rglob("*-test.array_record*")
    whole = shard.read_bytes()
    shard.write_bytes(whole[:100])
    if change == "missing":
        shard.unlink()
    reason = "missing" if change == "missing" else f"100 bytes, expected {len(whole)}"
    with pytest.raises(BuildError, match=rf"test\.array_record.*: {reason}"):
        _build(tmp_path / "records", held_out=False)
