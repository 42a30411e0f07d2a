"""The queue and what is kept; the folder, and what killed servers left behind."""

import os
import subprocess
import sys

import pytest

from lipfd_jax.serving.folder import remove_leftovers, working_folder
from lipfd_jax.serving.jobs import Jobs
from lipfd_jax.serving.limits import Limits, RequestError


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_first_to_wait_is_the_first_to_be_taken(tmp_path):
    jobs = Jobs(tmp_path, Limits())
    slow, quick = jobs.admit("slow"), jobs.admit("quick")
    jobs.enqueue(quick.id, 3)
    assert jobs.take().id == quick.id
    jobs.enqueue(slow.id, 3)
    assert jobs.find(slow.id)[1] == 1
    jobs.end(quick.id, "none")
    assert jobs.find(slow.id)[1] == 0
    jobs.close()
    assert jobs.take() is None


def test_uploads_count_for_the_queue(tmp_path):
    jobs = Jobs(tmp_path, Limits(queue=2))
    first = jobs.admit("a")
    jobs.admit("b")
    with pytest.raises(RequestError, match="no room"):
        jobs.admit("c")
    jobs.remove(first.id)
    jobs.admit("c")


def test_results_are_kept_for_their_time(tmp_path, clock):
    jobs = Jobs(tmp_path, Limits(kept_minutes=2), clock)
    job = jobs.admit("a")
    jobs.enqueue(job.id, 1)
    jobs.take()
    clock.now += 1000  # work on it does not count
    jobs.end(job.id, None, "reason")
    clock.now += 119
    jobs.expire()
    assert jobs.find(job.id)[0].reason == "reason"
    clock.now += 2
    jobs.expire()
    with pytest.raises(KeyError):
        jobs.find(job.id)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_refuses_before_anything_is_sent(tmp_path):
    with pytest.raises(RequestError, match="full") as refused:
        Jobs(tmp_path, Limits(megabytes=1e12)).admit("a")
    assert refused.value.status == 507


def test_limits_make_sense():
    with pytest.raises(ValueError, match="queue=0"):
        Limits(queue=0)
    with pytest.raises(ValueError, match="minutes=nan"):
        Limits(minutes=float("nan"))


def test_the_folder_is_private_and_goes_with_the_server(tmp_path):
    with working_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "left").write_text("x")
        assert remove_leftovers(tmp_path) == 0  # it lives
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_goes_at_the_next_start(tmp_path):
    code = (
        "import os, signal, sys, pathlib\nfrom lipfd_jax.serving.folder import working_folder\n"
        "with working_folder(pathlib.Path(sys.argv[1])) as f:\n"
        "    (f / 'video').write_bytes(b'x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "video").exists()
    other = tmp_path / "mine"
    other.mkdir()
    (other / "lock").touch()
    os.symlink(other, tmp_path / "lipfd-serve-link")
    with working_folder(tmp_path) as folder:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            [folder.name, "lipfd-serve-link", "mine"]
        )
    assert (other / "lock").exists()
