"""The command: pictures in two processes, exit codes, wrong flags."""

import shutil
import subprocess
import sys

from lipfd_jax.data.sources import find_window_convention, open_source


def _run(*flags):
    command = [sys.executable, "-m", "lipfd_jax", "preprocess", *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_pictures_of_real_clips(media, tmp_path):
    done = _run("--avlips", media / "tricky", "--output", tmp_path, "--convention=released", "--workers=2")
    assert done.returncode == 0
    assert "3 clips built, 0 finished earlier, 0 not built; 26 composites, 0 missing" in done.stdout
    assert "last 4 frames dropped" in done.stdout
    assert "clip/s" in done.stderr
    assert len(list(tmp_path.glob("*/*.png"))) == 26


def test_a_folder_described_by_a_csv(media, tmp_path):
    shutil.copy(media / "AVLips" / "0_real" / "0.mp4", tmp_path / "talk.mp4")  # with a sound track inside
    (tmp_path / "clips.csv").write_text("path,label\ntalk.mp4,fake\ngone.mp4,real\n")
    done = _run("--csv", tmp_path / "clips.csv", "--output", tmp_path / "out", "--workers=0")
    assert done.returncode == 0
    assert "not built: gone.mp4: no such file" in done.stdout
    assert len(list((tmp_path / "out" / "1_fake").glob("talk_?.png"))) == 10
    assert find_window_convention(open_source(str(tmp_path / "out"))) == "paper"  # the folder says so itself


def test_the_old_spelling_of_convention_works_and_names_the_new_one(tmp_path):
    (tmp_path / "data" / "0_real").mkdir(parents=True)
    done = _run("--avlips", tmp_path / "data", "--output", tmp_path / "out", "--windows=released")
    assert "--windows is now --convention" in done.stderr
    assert (tmp_path / "out" / "windows.txt").read_text() == "released\n"


def test_nothing_built_is_a_failure(tmp_path):
    (tmp_path / "data" / "0_real").mkdir(parents=True)
    (tmp_path / "data" / "0_real" / "broken.mp4").write_bytes(b"no video")
    done = _run("--avlips", tmp_path / "data", "--output", tmp_path / "out", "--workers=0")
    assert done.returncode == 1
    assert "not built: 0_real/broken: " in done.stdout


def test_wrong_flags_are_refused(tmp_path):
    for flags in (
        ("--output", tmp_path),
        ("--output", tmp_path, "--avlips", tmp_path, "--csv", tmp_path / "x.csv"),
        ("--output", tmp_path, "--avlips", tmp_path / "nowhere"),
        ("--output", tmp_path, "--avlips", tmp_path, "--convention=papre"),
        ("--avlips", tmp_path),
    ):
        done = _run(*flags)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
