"""Windows of the released code: wrap and overlap."""

from lipfd_jax.preprocessing.released_windows import released_frames, released_starts


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
