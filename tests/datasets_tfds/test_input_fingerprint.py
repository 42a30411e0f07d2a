"""What is found in manual_dir, in each of the three forms and from archives."""

import shutil

import cv2
import numpy as np
import pytest

from datasets_tfds import build
from datasets_tfds.avlips.make_dummy_data import (
    FOLDER,
    chirp,
    moving_bars,
    write_clips,
    write_video,
    write_wav,
)
from datasets_tfds.build_settings import BuildSettings, named_settings, select_settings
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.layouts import LAYOUTS, list_layout


def test_config_names_leave_defaults_out():
    names = [settings.name for settings in named_settings()]
    assert names[0] == "avlips"
    endings = ["", "-composite", "-lossy", "-released", "-composite-released", "-lossy-released"]
    made = {f"{layout}{ending}" for layout in ("avlips", "folder") for ending in endings}
    made |= {"official_val", "clips", "avlips-clips"}
    assert made <= set(names)  # folders of records have these names
    numbers = [1 if layout.composites else len(endings) + 1 for layout in LAYOUTS.values()]  # and clips
    assert len(names) == len(set(names)) == sum(numbers)
    assert select_settings("avlips").held_out
    assert not select_settings("folder").held_out


@pytest.mark.parametrize("options", [{"fractions": (0.5, 0.1, 0.1)}, {"effort": 9}, {"videos_per_shard": 0}])
def test_senseless_settings_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        BuildSettings(**options)


def test_finds_avlips_and_says_so(tmp_path):
    found = list_layout(FOLDER, "avlips", unpack_dir=tmp_path)
    assert len(found.clips) == 8
    assert "1_fake: 4 videos of 4 sources (4 with wav)" in found.summary()
    assert "4 sources have both" in found.summary()


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_finds_avlips_in_an_archive(tmp_path, kind):
    packed = shutil.make_archive(str(tmp_path / "AVLips"), kind, FOLDER.parent, FOLDER.name)
    by_path = list_layout(packed, "avlips", unpack_dir=tmp_path / "out")
    in_folder = list_layout(tmp_path, "avlips", unpack_dir=tmp_path / "out")
    assert [item.video for item in by_path.clips] == [item.video for item in in_folder.clips]
    assert len(by_path.clips) == 8


def test_names_what_is_missing(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "data")
    (tmp_path / "data/0_real/dummy0.mp4").unlink()
    (tmp_path / "data/wav/1_fake/dummy1.wav").unlink()
    found = list_layout(tmp_path / "data", "avlips", unpack_dir=tmp_path)
    assert "wav/0_real/dummy0.wav: a wav without a video" in found.summary()
    assert "1 with only the sound inside, 3 with wav" in found.summary()


@pytest.mark.parametrize("layout", ["avlips", "folder", "official_val"])
def test_an_empty_folder_is_an_error(tmp_path, layout):
    (tmp_path / "data").mkdir()
    with pytest.raises(ClipError, match="nor exactly one archive"):
        list_layout(tmp_path / "data", layout, unpack_dir=tmp_path)
    with pytest.raises(ClipError, match="no such folder"):
        list_layout(tmp_path / "nowhere", layout, unpack_dir=tmp_path)


def test_builds_a_folder_described_by_a_csv(tmp_path, capsys):
    data = tmp_path / "data"
    for name in ("x/one", "x/two", "three"):
        write_video(data / f"{name}.mp4", moving_bars(0, count=12))
        write_wav(data / f"{name}.wav", chirp(0, seconds=0.5))
    rows = "x/one.mp4,real,anna,\nx/two.mp4,fake,anna,wav2lip\nthree.mp4,0,,\n../out.mp4,1,,\n"
    (data / "list.csv").write_text("path,label,group,generator\n" + rows)
    settings = select_settings("folder", clips_csv="list.csv", fractions=(1.0, 0.0, 0.0))
    builder = build.build(manual_dir=str(data), data_dir=str(tmp_path), settings=settings, workers=0)
    assert "train lacks a class" not in capsys.readouterr().out
    records = list(builder.as_data_source("train"))
    known = {(r["video"], r["label"], r["source"], r["generator"]) for r in records}
    assert known == {
        (b"0_real/x__one", 0, b"anna", b""),
        (b"1_fake/x__two", 1, b"anna", b"wav2lip"),
        (b"0_real/three", 0, b"three", b""),
    }


def test_builds_the_official_validation_pictures_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    files = {}
    for name in ("0_real/12_0.png", "0_real/12_10.png", "1_fake/7_3.png"):
        picture = np.full((1000, 2500, 3), rng.integers(0, 256, 3), np.uint8)
        path = tmp_path / "data" / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
        files[name] = path.read_bytes()
    cv2.imwrite(str(tmp_path / "data/val/1_fake/small_0.png"), np.zeros((10, 10, 3), np.uint8))
    (tmp_path / "data/val/1_fake/notes.txt").write_text("x")
    builder = build.build(
        manual_dir=str(tmp_path / "data"),
        data_dir=str(tmp_path),
        settings=select_settings("official_val"),
        workers=0,
    )
    skip = {"composite": build.tfds.decode.SkipDecoding()}
    records = list(builder.as_data_source("test", decoders=skip))
    built = {f"{r['video'].decode()}_{r['window']}.png": r["composite"] for r in records}
    assert built == files
    assert {(r["source"], r["windows"], r["start_frame"]) for r in records} == {
        (b"12", b"released", -1),
        (b"7", b"released", -1),
    }
    problems = build.report.read_report(builder.data_path)["problems"]
    assert [problem["name"] for problem in problems] == ["1_fake/notes.txt", "1_fake/small"]
    assert list(builder.info.splits) == ["test"]


def test_the_same_clips_twice_in_a_row(tmp_path):
    write_clips(tmp_path / "data", ("a",))
    one, two = (list_layout(tmp_path / "data", "avlips", unpack_dir=tmp_path) for _ in range(2))
    assert one == two
