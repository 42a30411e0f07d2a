"""Frames of paper windows: 40 ms apart at any rate, and none over a hole, a seam or an unfit frame."""

import numpy as np
import pytest

from lipfd_jax.preprocessing.paper_windows import (
    find_holes,
    find_starts,
    find_window_span,
    pick_frames,
    spread_starts,
)


def _bounds(count, fps, first=0.0):
    return first + np.arange(count + 1) / fps


def _starts(bounds, fit=None, seams=()):
    return find_starts(bounds, np.ones(len(bounds) - 1, bool) if fit is None else fit, seams)


@pytest.mark.parametrize("count", [*range(5, 70), 298, 262, 1000, 15000])
def test_windows_spread_over_the_whole_clip(count):
    starts = spread_starts(_starts(_bounds(count, 25, 0.023)))
    assert len(starts) == min(10, count - 4)
    assert starts[0] == 0
    assert starts[-1] + 5 == count
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert steps.size == 0 or steps.max() - steps.min() <= 1


@pytest.mark.parametrize("count", [0, 1, 4])
def test_no_window_without_five_frames(count):
    assert not len(_starts(_bounds(count, 25)))
    assert spread_starts(np.zeros(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("fps", [24000 / 1001, 24, 25, 28])
def test_frames_are_consecutive_at_about_25_a_second(fps):
    bounds = _bounds(100, fps, 1.4)
    starts = _starts(bounds)
    np.testing.assert_array_equal(starts, np.arange(96))
    picked = pick_frames(bounds, starts)
    np.testing.assert_array_equal(picked, starts[:, None] + np.arange(5))
    assert find_window_span(bounds, picked[7]) == (bounds[7], bounds[12])


@pytest.mark.parametrize("fps", [20, 25, 29.97, 30, 48, 50, 60, 100, 120, 240])
def test_frames_are_40_ms_apart(fps):
    bounds = _bounds(round(4 * fps), fps)
    starts = _starts(bounds)
    assert starts[0] == 0
    assert 3.75 < bounds[starts[-1]] <= 3.85
    times = bounds[pick_frames(bounds, starts)]
    assert np.abs(times - times[:, :1] - 0.04 * np.arange(5)).max() <= 0.5 / fps + 1e-9
    begin, end = find_window_span(bounds, pick_frames(bounds, starts)[3])
    assert end - begin == pytest.approx(0.2)


def test_times_rounded_to_milliseconds_change_nothing():
    for fps in (24, 25, 50):
        exact = _bounds(200, fps)
        rounded = np.round(exact, 3)
        np.testing.assert_array_equal(_starts(exact), _starts(rounded))
        np.testing.assert_array_equal(
            pick_frames(exact, _starts(exact)), pick_frames(rounded, _starts(rounded))
        )


def test_variable_rates_show_what_is_nearest():
    times = np.sort(np.random.default_rng(0).uniform(0, 4, 300))
    bounds = np.append(times, 4)
    starts = _starts(bounds)
    assert len(starts) > 100
    wanted = times[starts][:, None] + 0.04 * np.arange(5)
    nearest = np.abs(times[:, None, None] - wanted).min(axis=0)
    np.testing.assert_allclose(np.abs(times[pick_frames(bounds, starts)] - wanted), nearest)


def test_no_window_spans_a_hole():
    times = np.delete(np.arange(100) / 25, range(50, 53))  # 160 ms from frame 49 to the next
    bounds = np.append(times, 4)
    assert np.flatnonzero(find_holes(bounds)).tolist() == [49]
    np.testing.assert_array_equal(_starts(bounds), [*range(45), *range(50, 93)])
    one_missing = np.append(np.delete(np.arange(100) / 25, 50), 4)  # two steps are no hole
    assert not find_holes(one_missing).any()
    assert len(_starts(one_missing)) == 95


def test_no_window_spans_a_seam_or_an_unfit_frame():
    fit = np.ones(100, bool)
    fit[60] = False
    starts = _starts(_bounds(100, 25, 3), fit, [3 + 20 / 25])
    np.testing.assert_array_equal(starts, [*range(16), *range(20, 56), *range(61, 96)])


def test_slow_videos_have_windows_and_slower_ones_none():
    bounds = _bounds(60, 15)
    assert len(_starts(bounds)) == 58
    assert pick_frames(bounds, np.array([0])).tolist() == [[0, 1, 1, 2, 2]]
    assert not len(_starts(_bounds(60, 10)))


def test_missing_frames_leave_no_window_of_two_pictures():
    times = np.concatenate([np.arange(50) / 25, 2 + np.arange(10) / 12.5, 2.8 + np.arange(30) / 25])
    starts = _starts(np.append(times, 4))
    assert not set(range(50, 57)) & set(starts.tolist())
