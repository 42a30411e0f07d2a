"""Balanced drawing: both classes equally often, every record in its turn."""

from collections import Counter

import numpy as np
import pytest

from lipfd_jax.data import order

LABELS = np.array([0] * 70 + [1] * 400)


def _drawn(count, *, seed=0, start=0):
    numbers = order.balance_records(LABELS, seed=seed)
    return np.array([numbers[i] for i in range(start, start + count)])


def test_both_classes_come_equally_often_in_every_window():
    labels = LABELS[_drawn(1536)].reshape(-1, 512)
    np.testing.assert_array_equal(labels.sum(axis=1), 256)


def test_within_a_window_the_classes_are_mixed():
    """Else one of two processes would see one class only."""
    labels = LABELS[_drawn(512)]
    for part in (labels[::2], labels[1::2], labels[:64]):
        assert 0.25 < part.mean() < 0.75


def test_no_record_comes_again_before_the_others_of_its_class():
    drawn = _drawn(1024)
    for label in (0, 1):
        counts = Counter(drawn[LABELS[drawn] == label].tolist())
        assert len(counts) == (label == LABELS).sum()
        assert max(counts.values()) - min(counts.values()) <= 2  # the last window is cut in mid-epoch


def test_seed_and_position_decide():
    np.testing.assert_array_equal(_drawn(100), _drawn(100))
    np.testing.assert_array_equal(_drawn(100)[40:], _drawn(60, start=40))
    assert (_drawn(100) != _drawn(100, seed=1)).any()
    _drawn(2, seed=2**32 - 1, start=10**7)


def test_one_class_alone_is_refused():
    with pytest.raises(ValueError, match=r"records of one class only.*0 real, 3 fake"):
        order.balance_records(np.ones(3, int), seed=0)
