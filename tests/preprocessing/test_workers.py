"""Clips in worker processes: order kept, failures and crashes confined to one clip, no orphans."""

import contextlib
import errno
import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing import workers
from lipfd_jax.storage.errors import MachineError

# A script of its own, as worker processes find functions by importing the main file.
SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.workers import map_clips

def work(clip):
    number = int(clip.source)
    if number == 3:
        raise ClipError(f"{clip.path}: damaged")
    if number in (5, 14):
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[1:]:
        Path(sys.argv[1], f"{os.getpid()}.pid").touch()
        time.sleep(60)
    return number ** 2

if __name__ == "__main__":
    clips = [Clip(f"0_real/{n}", Path(f"{n}.mp4"), None, 0, str(n)) for n in range(20)]
    for clip in clips:
        clip.path.touch()
    outcomes = map_clips(work, clips, workers=2)
    print(json.dumps([(o.clip.video, o.result, o.problem) for o in outcomes]))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def test_crashes_and_failures_are_one_clips_and_the_order_is_kept(script):
    done = subprocess.run(
        [sys.executable, script], cwd=script.parent, capture_output=True, text=True, check=True
    )
    outcomes = json.loads(done.stdout)
    assert [video for video, _, _ in outcomes] == [f"0_real/{n}" for n in range(20)]
    for number, (_, result, problem) in enumerate(outcomes):
        if number in (3, 5, 14):
            assert result is None
            assert problem.startswith(f"{number}.mp4: ")
            assert ("damaged" if number == 3 else "crashed") in problem
        else:
            assert (result, problem) == (number**2, "")


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_parent(script, tmp_path):
    parent = subprocess.Popen([sys.executable, script, tmp_path], cwd=tmp_path, stderr=subprocess.DEVNULL)
    _wait_for(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    started = [int(path.stem) for path in tmp_path.glob("*.pid")]
    _wait_for(lambda: not any(_running(pid) for pid in started))


def _wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_without_processes_failures_are_one_clips_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def work(clip):
        if clip.source == "1":
            raise ClipError("1.mp4: damaged")
        return {"0": "fine"}[clip.source]

    clips = [Clip(f"0_real/{n}", Path(f"{n}.mp4"), None, 0, str(n)) for n in range(3)]
    for clip in clips:
        clip.path.touch()
    first, second, third = workers.map_clips(work, clips, workers=0)
    assert (first.result, first.problem) == ("fine", "")
    assert second.problem == "1.mp4: damaged"
    assert "unexpected KeyError" in third.problem


def test_a_file_that_is_not_there_is_its_clips_problem(tmp_path):
    [outcome] = workers.map_clips(len, [Clip("0_real/a", tmp_path / "a.mp4", None, 0, "a")], workers=0)
    assert outcome.problem == f"{tmp_path}/a.mp4: No such file or directory"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "full"), OSError),
        (OSError(errno.EIO, "bad"), OSError),
        (MemoryError("none"), MachineError),
    ],
)
def test_trouble_of_the_machine_ends_the_run(tmp_path, monkeypatch, error, expected):
    def work(clip):
        raise error

    (tmp_path / "a.mp4").touch()
    monkeypatch.setattr(workers.memory_limit, "available_bytes", lambda: 100 << 20)
    with pytest.raises(expected, match=r"full|bad|100 MB of memory are left"):
        list(workers.map_clips(work, [Clip("0_real/a", tmp_path / "a.mp4", None, 0, "a")], workers=0))


def test_an_interrupt_that_a_library_swallows_counts_at_the_next_clip(tmp_path):
    def work(clip):
        with contextlib.suppress(KeyboardInterrupt):  # as PyAV 19 does while it resamples
            signal.raise_signal(signal.SIGINT)

    (tmp_path / "a.mp4").touch()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        list(workers.map_clips(work, [Clip("0_real/a", tmp_path / "a.mp4", None, 0, "a")], workers=0))
    assert signal.getsignal(signal.SIGINT) is before


def test_memory_that_the_system_took_is_not_the_clips_fault(monkeypatch):
    monkeypatch.setattr(workers.memory_limit, "count_oom_kills", lambda: 3)
    with pytest.raises(MachineError, match="fewer --workers"):
        workers._check_memory(2)
    workers._check_memory(3)
    monkeypatch.setattr(workers.memory_limit, "available_bytes", lambda: 100 << 20)
    with pytest.raises(MachineError, match="100 MB are free"):
        workers._check_memory(3)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps the bound on data")
def test_without_processes_a_clip_has_its_share_of_memory_too(tmp_path):
    def work(clip):
        # 8 GB: more than memory that earlier tests gave back to this process, which it need not ask for again
        return len(bytes(8 << 30 if clip.source == "1" else 1 << 20))

    clips = [Clip(f"0_real/{n}", tmp_path / f"{n}.mp4", None, 0, str(n)) for n in range(3)]
    for clip in clips:
        clip.path.touch()
    before = resource.getrlimit(resource.RLIMIT_DATA)
    first, second, third = workers.map_clips(work, clips, workers=0)
    assert (first.result, third.result) == (1 << 20, 1 << 20)
    assert second.problem == f"{tmp_path}/1.mp4: takes more than 600 MB of memory"
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_no_more_processes_than_clips_are_started(tmp_path, monkeypatch):
    asked = []
    pool = workers._make_pool
    monkeypatch.setattr(workers, "_make_pool", lambda count: asked.append(count) or pool(count))
    assert list(workers.map_clips(repr, [], workers=1000)) == []
    clip = Clip("0_real/a", tmp_path / "a.mp4", None, 0, "a")
    clip.path.touch()
    [outcome] = workers.map_clips(repr, [clip], workers=1000)
    assert "0_real/a" in outcome.result
    assert asked == [1]
