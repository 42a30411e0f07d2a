"""Tasks on one clip: memory is bounded, and missing files are distinguished from excessive demands."""

import sys

import cv2
import numpy as np
import pytest

from lipfd_jax.listing.clips import Clip
from lipfd_jax.preprocessing import clip_task, memory_limit

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
    with pytest.raises(clip_task.MachineError, match=r"a\.mp4: 50 MB of memory are left"):
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
        with pytest.raises(clip_task.MachineError, match=r"a\.mp4: \d+ MB of memory are left"):
            clip_task.attempt_task(_greedy, clip, base=memory_limit.private_bytes())
    finally:
        resource.setrlimit(number, (before, hard))
