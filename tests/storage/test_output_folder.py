"""Folders for results: what can't be written to is named, and the processes of one run can all check."""

import errno
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lipfd_jax.storage.locks import LOCK_FILE, InUseError, lock_folder
from lipfd_jax.storage.output_folder import check_unused, check_writable

CHECK = """
import sys
from pathlib import Path
from lipfd_jax.storage.output_folder import check_writable
print("ready", flush=True)
sys.stdin.readline()
for _ in range(500):
    check_writable(Path(sys.argv[1]))
"""


def _check_unused(folder):
    check_unused(folder, "a test")


def test_two_processes_of_one_run_check_at_the_same_time(tmp_path):
    command = [sys.executable, "-c", CHECK, tmp_path / "out"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    run = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in run] == ["ready\n"] * 2
    for process in run:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[1] for process in run] == ["", ""]
    assert [process.returncode for process in run] == [0, 0]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_in_use_is_writable_and_refused_as_unused(tmp_path):
    with lock_folder(tmp_path, "a test"):
        check_writable(tmp_path)
        with pytest.raises(InUseError, match="a test is under way there"):
            _check_unused(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]
    _check_unused(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("check", [check_writable, _check_unused])
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("file", "file: can't be written to: it is a file, not a folder"),
        ("file/out", "file/out: can't be written to: a part of its path is a file"),
        ("gs://bucket/out", "gs:/bucket/out: an address; expected a folder on this machine"),
    ],
)
def test_what_is_no_folder_is_named_by_each_check(tmp_path, monkeypatch, check, output, message):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(ValueError) as caught:
        check(Path(output))
    assert str(caught.value) == message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("check", [check_writable, _check_unused])
def test_a_folder_named_like_an_address_is_a_folder(tmp_path, monkeypatch, check):
    monkeypatch.chdir(tmp_path)
    Path("gs:/bucket").mkdir(parents=True)
    check(Path("gs:/bucket"))


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def fail(dir):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(ValueError, match="can't be written to: No space left on device"):
        check_writable(tmp_path)
