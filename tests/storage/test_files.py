"""Files appear whole or not at all, and old ones stay until then."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lipfd_jax.storage import files
from lipfd_jax.storage.locks import lock_folder

KILLED = """
import os, signal, sys
from lipfd_jax.storage import files
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
files.write_text(sys.argv[1], "half")
"""


def test_a_file_is_replaced_whole(tmp_path):
    files.write_text(tmp_path / "a", "one")
    files.write_json(tmp_path / "a", {"two": 2})
    assert (tmp_path / "a").read_text() == '{\n  "two": 2\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    files.write_text(tmp_path / "a", "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/a"):
        files.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_json_refuses_what_no_reader_knows(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a", float("nan"))


def test_the_longest_name_a_disk_allows(tmp_path):
    files.write_bytes(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_what_a_killed_process_left_goes_when_the_folder_is_locked_again(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a"], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    (tmp_path / ".notes.tmp").touch()  # not ours
    living = tmp_path / f".{'0' * 24}.{os.getpid()}.tmp"
    living.touch()
    with lock_folder(tmp_path, "a test"):
        assert left.exists()  # of this minute: another machine may be writing it
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - 100,) * 2)
    with lock_folder(tmp_path, "a test"):
        assert not left.exists()
    assert sorted(tmp_path.iterdir()) == sorted([living, tmp_path / ".notes.tmp"])
