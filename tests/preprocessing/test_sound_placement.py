"""Pieces of sound in their places: gaps filled, overlaps dropped, jitter left alone, rates changed."""

import numpy as np
import pytest

from lipfd_jax.preprocessing.sound_placement import Piece, place_pieces, resample_pieces

RATE = 8000
LENGTH = 160  # samples of a piece, 20 ms


def _pieces(times, rate=RATE, first=0):
    """Pieces whose samples are numbered."""
    return [
        Piece(time, rate, np.arange(first + k * LENGTH, first + (k + 1) * LENGTH, dtype=np.float32))
        for k, time in enumerate(times)
    ]


def _place(pieces):
    return np.concatenate([piece.samples for piece in place_pieces(pieces)])


def test_rounded_times_and_a_moment_of_jitter_change_nothing():
    exact = np.arange(50) * 0.02
    jitter = exact + np.where(np.arange(50) % 20 == 10, 0.06, 0)
    impossible = exact + np.where(np.arange(50) == 20, 3600, 0) - np.where(np.arange(50) == 30, 500, 0)
    early = exact - np.where(jitter > exact, 0.05, 0)
    for times in (exact, np.round(exact, 2), exact + 7.3, jitter, early, impossible):
        np.testing.assert_array_equal(_place(_pieces(times)), np.arange(50 * LENGTH))


@pytest.mark.parametrize("gap", [0.03, 0.3, 2.5, 30.0])
def test_a_gap_becomes_silence(gap):
    times = np.arange(50) * 0.02 + gap * (np.arange(50) >= 20)
    placed = list(place_pieces(_pieces(times)))
    skipped = sum(piece.silent_seconds for piece in placed) * RATE
    samples = np.concatenate([piece.samples for piece in placed])
    assert len(samples) + skipped == 50 * LENGTH + round(gap * RATE)
    np.testing.assert_array_equal(samples[: 20 * LENGTH], np.arange(20 * LENGTH))
    np.testing.assert_array_equal(samples[-30 * LENGTH :], np.arange(20 * LENGTH, 50 * LENGTH))


@pytest.mark.parametrize("overlap", [0.03, 0.15])
def test_an_overlap_is_dropped(overlap):
    times = np.arange(50) * 0.02 - overlap * (np.arange(50) >= 20)
    placed = _place(_pieces(times))
    assert abs(len(placed) - (50 * LENGTH - overlap * RATE)) <= 0.02 * RATE
    np.testing.assert_array_equal(placed[: 20 * LENGTH], np.arange(20 * LENGTH))
    np.testing.assert_array_equal(placed[20 * LENGTH :], np.arange(50 * LENGTH)[20 * LENGTH - len(placed) :])


def test_small_overlaps_add_up_and_are_dropped_in_time():
    times = np.arange(200) * 0.02 - 0.011 * (np.arange(200) // 20)
    late = len(_place(_pieces(times))) - (times[-1] + 0.02) * RATE
    assert abs(late) <= 0.021 * RATE


def test_the_rate_may_change_on_the_way():
    slow = _pieces(np.arange(100) * 0.02)
    fast = [Piece(2 + k * 0.01, 2 * RATE, np.zeros(LENGTH, np.float32)) for k in range(100)]
    starts, parts = zip(*resample_pieces(place_pieces(slow + fast)), strict=True)
    assert set(starts) == {0.0}
    assert sum(map(len, parts)) == pytest.approx(3 * 22050, abs=2)


def test_nothing_gives_nothing():
    assert list(resample_pieces(place_pieces([]))) == []
