"""One process at a time writes a folder; a lock never outlives its process."""

import json
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
