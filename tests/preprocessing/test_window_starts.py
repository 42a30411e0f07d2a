"""Window starts: the released wrap and overlap, and an even spread over clips of every length."""

import numpy as np
import pytest

from lipfd_jax.preprocessing.window_starts import paper_starts, released_frames, released_starts


def test_released_starts_wrap_modulo_256():
    assert released_starts(298) == [0, 3, 32, 36, 64, 97, 129, 162, 194, 227]
    assert released_starts(107) == [0, 11, 22, 33, 44, 56, 67, 78, 89, 101]
    assert all(0 <= start < 256 for count in range(3000) for start in released_starts(count))


def test_released_starts_of_tiny_clips_wrap_below_zero():
    assert released_starts(5) == [0] + 9 * [255]
    assert min(released_starts(3)[1:]) == 253


def test_released_frames_are_kept_once_where_windows_overlap():
    assert released_frames(released_starts(40)) == list(range(39))
    assert len(released_frames(released_starts(107))) == 50


@pytest.mark.parametrize("count", [*range(5, 70), 298, 262, 1000, 15000])
def test_paper_starts_spread_over_the_whole_clip(count):
    starts = paper_starts(count)
    assert len(starts) == min(10, count - 4)
    assert starts[0] == 0
    assert starts[-1] + 5 == count
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert steps.size == 0 or steps.max() - steps.min() <= 1


def test_paper_starts_need_five_frames():
    with pytest.raises(ValueError, match="4 frames"):
        paper_starts(4)
