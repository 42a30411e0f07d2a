"""Frames of windows: the same whether decoded in sequence or sought."""

import numpy as np
import pytest

from lipfd_jax.faces import scan as scanning
from lipfd_jax.faces import window_reader
from lipfd_jax.faces.framing import Square
from lipfd_jax.faces.scan import scan_video
from lipfd_jax.faces.window_reader import (
    WindowRequest,
    read_cached_windows,
    read_pictures,
    read_windows,
)
from lipfd_jax.preprocessing.frame_cache import FrameCache
from lipfd_jax.preprocessing.video import read_frames
from lipfd_jax.vocabulary import TILE

TEN = (10, 11, 12, 13, 14)


@pytest.fixture(scope="module")
def video(film, tmp_path_factory):
    rng = np.random.default_rng(0)
    pictures = [np.full((64, 96, 3), value, np.uint8) for value in rng.integers(0, 255, 300)]
    return film(tmp_path_factory.mktemp("footage") / "a.mp4", pictures)


@pytest.mark.parametrize("jump", [0.1, 3.0, 1000.0, None])
def test_windows_hold_the_frames_they_name(video, jump, monkeypatch):
    """Sought, decoded in sequence, or kept by the scan."""
    if jump is not None:
        monkeypatch.setattr(window_reader, "_SEEK_SECONDS", jump)
        monkeypatch.setattr(scanning, "_CACHE_BYTES", 0)
    seen = scan_video(video, None)
    assert len(seen.cached_frames) == (300 if jump is None else 0)
    starts = [0, 3, 130, 132, 295]
    wanted = [WindowRequest(0, tuple(range(s, s + 5)), None, side=TILE) for s in starts[::-1]]
    found = {window.start: frames for window, frames in read_windows(video, seen, wanted)}
    assert list(found) == starts
    pictures = read_frames(video, range(300)).frames
    for start, frames in found.items():
        np.testing.assert_array_equal(frames, [pictures[start + k] for k in range(5)])
    numbers = [0, 1, 7, 140, 141, 299]
    single = dict(read_pictures(video, seen, numbers))
    assert list(single) == numbers
    for number, picture in single.items():
        np.testing.assert_array_equal(picture, pictures[number])


def test_kept_frames_give_the_same_windows(video):
    seen = scan_video(video, None)
    wanted = [WindowRequest(0, tuple(range(start, start + 5)), Square(4, 4, 40)) for start in (130, 3, 6)]

    def darker():
        shades = iter(range(2, 100))
        return lambda picture: picture // next(shades)  # which one depends on the order

    for most in (10**9, 10**5):
        kept = FrameCache(most)
        for change in (None, darker, darker):
            ours = list(read_cached_windows(kept, video, seen, wanted, change and change()))
            theirs = list(read_windows(video, seen, wanted, change and change()))
            assert [window for window, _ in ours] == [window for window, _ in theirs]
            np.testing.assert_array_equal([f for _, f in ours], [f for _, f in theirs])


def test_two_faces_of_one_window_are_cut_each(video):
    wanted = [WindowRequest(0, TEN, Square(0, 0, 40)), WindowRequest(1, TEN, Square(50, 10, 30))]
    (a, left), (b, right) = read_windows(video, scan_video(video, None), wanted)
    assert (a.track, left.shape) == (0, (5, 40, 40, 3))
    assert (b.track, right.shape) == (1, (5, 30, 30, 3))


def test_frames_may_be_apart_and_occur_twice(video):
    wanted = [
        WindowRequest(0, (4, 4, 6, 8, 8), None, side=TILE),
        WindowRequest(1, (5, 7, 9, 11, 13), None),
    ]
    found = {window.track: frames for window, frames in read_windows(video, scan_video(video, None), wanted)}
    pictures = read_frames(video, range(20)).frames
    for window in wanted:
        np.testing.assert_array_equal(found[window.track], [pictures[n] for n in window.frames])
