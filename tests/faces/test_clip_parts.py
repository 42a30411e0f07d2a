"""Frames and areas of clips: windows cut from them are those of the video, at any frame rate."""

import numpy as np
import pytest

from lipfd_jax.faces.clip_parts import ClipPart, choose_parts, find_areas
from lipfd_jax.preprocessing.paper_windows import find_starts, pick_frames


def _bounds(fps, seconds, jitter=0.0):
    steps = np.arange(int(fps * seconds) + 1) / fps
    return steps + jitter * np.random.default_rng(0).uniform(-1, 1, len(steps)) / fps


@pytest.mark.parametrize("fps", [12, 24, 25, 30000 / 1001, 48, 50, 60000 / 1001, 60, 120])
@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_windows_are_picked_as_from_all_frames(fps, jitter):
    bounds = _bounds(fps, 4, jitter)
    starts = find_starts(bounds, np.ones(len(bounds) - 1, bool))
    (part,) = choose_parts(bounds, starts, fps, 10)
    kept = np.append(bounds[part.numbers], bounds[part.numbers[-1] + 1])
    picked = pick_frames(kept, part.starts)
    np.testing.assert_array_equal(picked, part.picks)
    np.testing.assert_array_equal(part.numbers[picked], pick_frames(bounds, part.numbers[part.starts]))
    assert len(part.numbers) <= 31 * 4 + 5
    if fps <= 31:
        assert len(part.starts) == len(starts)
    assert len(part.starts) >= min(4 * 4, len(starts))  # four a second are left


def test_at_50_frames_a_second_every_second_one_is_kept():
    bounds = _bounds(50, 2)
    (part,) = choose_parts(bounds, find_starts(bounds, np.ones(100, bool)), 50, 10)
    assert set(part.numbers % 2) == {0}
    assert len(part.starts) > 40


def test_long_videos_give_several_clips_of_equal_length():
    bounds = _bounds(25, 50)
    starts = find_starts(bounds, np.ones(1250, bool))
    parts = choose_parts(bounds, starts, 25, 20)
    lengths = [bounds[part.numbers[-1] + 1] - bounds[part.numbers[0]] for part in parts]
    assert len(parts) == 3
    assert max(lengths) <= 20
    assert min(lengths) > 16
    assert len(np.unique(np.concatenate([part.numbers for part in parts]))) == sum(
        len(part.numbers) for part in parts
    )


def test_frames_that_no_window_shows_are_left_out():
    bounds, fit = _bounds(25, 8), np.ones(200, bool)
    fit[50:150] = False
    (part,) = choose_parts(bounds, find_starts(bounds, fit), 25, 10)
    assert not set(part.numbers) & set(range(50, 150))


def test_areas_show_the_squares_of_all_windows_inside_the_picture():
    squares = np.stack([np.arange(9) * 12.0 - 20, np.full(9, 30.5), np.full(9, 100.0)], axis=1)
    picks = np.arange(5)[:, None] + np.arange(5)
    part = ClipPart(np.arange(9), picks[:, 0], picks)
    areas = find_areas(part, squares, 200, 150)
    assert (areas[:, :2] >= 0).all()
    assert (areas[:, :2] + areas[:, 2:] <= (200, 150)).all()
    for row in picks:
        left, top, side = squares[row[2]]
        for area in areas[row]:
            assert area[0] <= max(left, 0)
            assert area[1] <= max(top, 0)
            assert area[0] + area[2] >= min(left + side, 200)
            assert area[1] + area[3] >= min(top + side, 150)
    still = ClipPart(np.arange(1), np.zeros(1, int), np.zeros((1, 5), int))
    single = find_areas(still, squares[4:5], 200, 300)
    assert single[0, 2:].tolist() == [110, 111]  # a tenth more, in whole pixels
