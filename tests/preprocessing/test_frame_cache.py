"""Cached frames equal decoded ones bit for bit, perturbed or not."""

import numpy as np
import pytest

from lipfd_jax.preprocessing import frame_cache
from lipfd_jax.preprocessing.frame_cache import FrameCache
from lipfd_jax.preprocessing.video import read_frames


@pytest.fixture(scope="module")
def video(studio, tmp_path_factory):
    return studio.write_video(tmp_path_factory.mktemp("kept") / "a.mp4", 20, size=(540, 560))


def _noisy():
    random = np.random.default_rng(0)
    return lambda picture: picture // 2 + random.integers(0, 9, picture.shape, np.uint8)


@pytest.mark.parametrize("most", [10**9, 10**6])  # the second holds one frame
def test_the_same_frames_as_without_memory(video, most):
    kept = FrameCache(most)
    for change in (None, _noisy, _noisy, None):
        made, wanted = ([make and make() for make in (change, change)], [7, 3, 4])
        ours, theirs = kept.read(video, wanted, None, made[0]), read_frames(video, wanted, None, made[1])
        assert ours.times == theirs.times
        assert sorted(ours.frames) == sorted(theirs.frames) == [3, 4, 7]
        for number, picture in theirs.frames.items():
            assert picture.shape == (500, 500, 3)
            assert np.array_equal(ours.frames[number], picture)


def test_a_video_is_decoded_once(video, monkeypatch):
    calls = []
    monkeypatch.setattr(
        frame_cache, "read_frames", lambda *given, **kw: calls.append(1) or read_frames(*given, **kw)
    )
    kept = FrameCache()
    for change in (None, _noisy()):
        kept.read(video, [1, 2], None, change)
    assert len(calls) == 1
    kept.read(video, [1, 3])
    assert len(calls) == 2
