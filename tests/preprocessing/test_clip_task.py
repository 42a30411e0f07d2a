"""Tasks on one clip: memory is bounded, and missing files are distinguished from excessive demands."""

import errno
import os
import struct
import sys

import av
import cv2
import numpy as np
import pytest

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing import clip_task, memory_limit
from lipfd_jax.storage.errors import MachineError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux bounds memory")


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    return Clip("0_real/a", tmp_path / "a.mp4", None, 0, "a")


def _greedy(clip):
    return np.zeros(1 << 30, np.uint8).sum()


def test_a_clip_that_wants_more_than_its_share_is_at_fault(clip):
    outcome = clip_task.attempt_task(_greedy, clip, base=memory_limit.private_bytes())
    assert outcome.problem == f"{clip.path}: takes more than 600 MB of memory"
    assert clip_task.attempt_task(_greedy, clip).result == 0  # the bound is gone again


def test_so_is_one_for_which_opencv_wants_it(clip):
    def enlarge(clip):
        return cv2.resize(np.zeros((1, 1, 3), np.uint8), (30_000, 30_000))

    outcome = clip_task.attempt_task(enlarge, clip, base=memory_limit.private_bytes())
    assert outcome.problem == f"{clip.path}: takes more than 600 MB of memory"


def test_where_memory_is_short_the_machine_is_at_fault(clip, monkeypatch):
    monkeypatch.setattr(memory_limit, "available_bytes", lambda: 50 << 20)
    with pytest.raises(MachineError, match=r"a\.mp4: 50 MB of memory are left"):
        clip_task.attempt_task(_greedy, clip, base=memory_limit.private_bytes())


@pytest.mark.parametrize(("limit", "field"), [("RLIMIT_DATA", "VmData"), ("RLIMIT_AS", "VmSize")])
def test_where_the_process_may_not_have_more_no_clip_is_at_fault(clip, limit, field):
    import resource

    number = getattr(resource, limit)
    before, hard = resource.getrlimit(number)
    resource.setrlimit(
        number, (memory_limit._status_bytes(field) + (200 << 20), hard)
    )  # as a batch system may
    try:
        with pytest.raises(MachineError, match=r"a\.mp4: \d+ MB of memory are left"):
            clip_task.attempt_task(_greedy, clip, base=memory_limit.private_bytes())
    finally:
        resource.setrlimit(number, (before, hard))


def _raise(error):
    raise error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bare"),
        IndexError("list index out of range"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        ZeroDivisionError(),
        RecursionError("deep"),
        struct.error("unpack requires a buffer"),
    ],
)
def test_whatever_a_clip_raises_is_its_problem_with_path_type_and_traceback(clip, error):
    outcome = clip_task.attempt_task(lambda clip: _raise(error), clip)
    assert outcome.problem.startswith(f"{clip.path}: unexpected {type(error).__name__}")
    assert "\n" not in outcome.problem
    assert "_raise" in outcome.traceback


def test_so_does_opencv_on_one_line(clip):
    outcome = clip_task.attempt_task(lambda clip: cv2.resize(np.zeros((0, 0, 3), np.uint8), (9, 9)), clip)
    assert outcome.problem.startswith(f"{clip.path}: unexpected error: OpenCV")
    assert "\n" not in outcome.problem


@pytest.mark.parametrize(
    "error",
    [
        ClipError("no sound track"),
        av.BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
        av.InvalidDataError(1094995529, "Invalid data found"),
        OSError(errno.ENAMETOOLONG, "File name too long", "/out/name"),
    ],
)
def test_expected_faults_carry_the_path_and_no_traceback(clip, error):
    outcome = clip_task.attempt_task(lambda clip: _raise(error), clip)
    assert outcome.problem.startswith(f"{clip.path}: ")
    assert outcome.traceback == ""


def test_a_file_that_goes_while_it_is_read_is_at_fault_and_an_output_is_not(clip):
    gone = FileNotFoundError(errno.ENOENT, "No such file or directory", str(clip.path))
    assert str(clip.path) in clip_task.attempt_task(lambda clip: _raise(gone), clip).problem
    output = FileNotFoundError(errno.ENOENT, "No such file or directory", "/out/a.png")
    with pytest.raises(FileNotFoundError):
        clip_task.attempt_task(lambda clip: _raise(output), clip)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "bad"), MemoryError(), av.MemoryError(12, "x")],
)
def test_trouble_of_the_machine_is_raised(clip, error):
    with pytest.raises(type(error)):
        clip_task.attempt_task(lambda clip: _raise(error), clip)


def test_a_pipe_is_never_opened(clip):
    clip.path.unlink()
    os.mkfifo(clip.path)
    assert clip_task.attempt_task(len, clip).problem == f"{clip.path}: no file, but a pipe or a device"
