"""Folders are replaced whole or not at all: on errors, on kills, and on disks that fail."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from lipfd_jax.storage.atomic_folder import publish_folder, recover_folder, replace_folder
from lipfd_jax.storage.locks import InUseError, lock_folder

KILLED_BETWEEN_THE_RENAMES = """
import os, pathlib, sys
from lipfd_jax.storage.atomic_folder import publish_folder
replace, calls = os.replace, []
def killed_at_the_second(*paths):
    calls.append(paths)
    if len(calls) == 2:
        os._exit(9)
    replace(*paths)
os.replace = killed_at_the_second
with publish_folder(pathlib.Path(sys.argv[1]), "a test") as folder:
    folder.mkdir()
    (folder / "a").write_text("new")
"""


def _write(folder, text):
    folder.mkdir(parents=True)
    (folder / "a").write_text(text)


def _publish_and_fail(out, error):
    with publish_folder(out, "a test") as folder:
        _write(folder, "half")
        raise error


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_whole_and_in_place_of_an_old_one(tmp_path):
    out = tmp_path / "out"
    for text in ("one", "two"):
        with publish_folder(out, "a test") as folder:
            _write(folder, text)
            assert text == "one" or (out / "a").read_text() == "one"
        assert (out / "a").read_text() == text
        assert _names(tmp_path) == ["out"]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path):
    _write(tmp_path / "out", "old")
    with pytest.raises(KeyError, match="wrong"):
        _publish_and_fail(tmp_path / "out", KeyError("wrong"))
    assert (tmp_path / "out" / "a").read_text() == "old"
    assert _names(tmp_path) == ["out"]


def test_a_full_disk_is_named_whatever_a_library_raises(tmp_path):
    with pytest.raises(OSError, match="the disk is full") as caught:
        _publish_and_fail(tmp_path / "out", ValueError("No space left on device [os_error_code='28']"))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "out")


def test_after_a_kill_between_the_renames_the_old_folder_comes_back(tmp_path):
    out = tmp_path / "out"
    _write(out, "old")
    done = subprocess.run([sys.executable, "-c", KILLED_BETWEEN_THE_RENAMES, out])
    assert done.returncode == 9
    assert not out.exists()
    recover_folder(out)
    assert (out / "a").read_text() == "old"
    with publish_folder(out, "a test") as folder:
        assert not folder.exists()  # what the killed process made is gone
        _write(folder, "new")
    assert (out / "a").read_text() == "new"
    assert _names(tmp_path) == ["out"]


def test_the_finished_folder_may_lie_inside_the_one_that_is_made(tmp_path):
    out, place = tmp_path / "set" / "1.0", tmp_path / "building" / "set"
    _write(out, "old")
    with replace_folder(out, "a test", place=place, inside=Path("set") / "1.0") as folder:
        _write(folder / "set" / "1.0", "new")
    assert (out / "a").read_text() == "new"
    assert _names(tmp_path / "building") == []


def test_two_do_not_write_one_folder(tmp_path):
    with (
        lock_folder(tmp_path / ".out.writing", "a conversion"),
        pytest.raises(InUseError, match="a test is under way"),
        publish_folder(tmp_path / "out", "a test"),
    ):
        pass
