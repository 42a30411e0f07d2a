"""One process at a time writes a folder; a lock never outlives its process."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from etils import epath

from lipfd_jax.storage import locks

HOLDER = """
import sys, time
from lipfd_jax.storage.locks import lock_folder
with lock_folder(sys.argv[1], "a test"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            with (
                pytest.raises(locks.InUseError, match=f"a test is under way there .process {holder.pid} on"),
                locks.lock_folder(tmp_path, "a test"),
            ):
                pass
        finally:
            holder.send_signal(signal.SIGKILL)
    with locks.lock_folder(tmp_path / "new", "a test"), locks.lock_folder(tmp_path, "a test"):
        pass


def test_no_lock_stays_where_work_has_ended(tmp_path):
    with locks.lock_folder(tmp_path / "new", "a test"):
        assert (tmp_path / "new" / locks.LOCK_FILE).exists()
    with pytest.raises(KeyError), locks.lock_folder(tmp_path / "new", "a test"):
        raise KeyError
    assert list((tmp_path / "new").iterdir()) == []


def test_a_file_that_another_holder_put_there_stays(tmp_path):
    with locks.lock_folder(tmp_path, "a test"):
        (tmp_path / locks.LOCK_FILE).unlink()
        with locks.lock_folder(tmp_path, "a test"):  # nothing holds the file of this name
            pass
        (tmp_path / locks.LOCK_FILE).write_text("another's")
    assert (tmp_path / locks.LOCK_FILE).read_text() == "another's"


def test_a_file_removed_between_opening_and_locking_is_not_taken_for_the_lock(tmp_path, monkeypatch):
    """The holder unlocks, and so removes the file, after a second process has opened it."""
    first = locks.lock_folder(tmp_path, "a test")
    first.__enter__()
    flock, opened = fcntl.flock, []

    def end_first(file, how):
        if not opened:
            opened.append(os.fstat(file.fileno()).st_ino)
            first.__exit__(None, None, None)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", end_first)
    with locks.lock_folder(tmp_path, "a test"):
        monkeypatch.undo()
        assert opened
        with pytest.raises(locks.InUseError), locks.lock_folder(tmp_path, "a test"):
            pass
    assert list(tmp_path.iterdir()) == []


RIVAL = """
import os, sys, time
from lipfd_jax.storage.locks import InUseError, lock_folder
ours = os.path.join(sys.argv[1], "inside")
held, end = 0, time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        with lock_folder(sys.argv[1], "a test"):
            os.close(os.open(ours, os.O_CREAT | os.O_EXCL))  # fails where the other is inside too
            os.unlink(ours)
            held += 1
    except InUseError:
        pass
print(held)
"""


def test_two_processes_are_never_inside_at_once(tmp_path):
    command = [sys.executable, "-c", RIVAL, tmp_path]
    rivals = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for rival in rivals:
        printed, _ = rival.communicate(timeout=60)
        assert rival.returncode == 0
        assert int(printed) > 0
    assert list(tmp_path.iterdir()) == []


def test_in_a_bucket_a_lock_that_nobody_renews_is_left_behind(tmp_path):
    """A folder serves as the bucket: only whole files are used."""
    folder = epath.Path(tmp_path)
    with (
        locks._lock_in_bucket(folder, "a test"),
        pytest.raises(locks.InUseError),
        locks._lock_in_bucket(folder, "a test"),
    ):
        pass
    assert not (tmp_path / locks.LOCK_FILE).exists()
    (tmp_path / locks.LOCK_FILE).write_text(json.dumps({"owner": "gone", "renewed": time.time() - 3600}))
    with locks._lock_in_bucket(folder, "a test"):
        assert json.loads((tmp_path / locks.LOCK_FILE).read_text())["owner"].startswith("process")


def test_a_disk_without_room_for_the_lock_is_named(tmp_path):
    script = """
import resource, signal, sys
from lipfd_jax.storage.locks import lock_folder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # as a full disk: writing fails
with lock_folder(sys.argv[1], "a test"):
    pass
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert done.stderr.rstrip().endswith(f"File too large: '{tmp_path}/lock'")
