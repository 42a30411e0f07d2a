"""Stretches that were not judged: grouped by reason, joined where they touch, the many short ones counted."""

import pytest

from lipfd_jax.detection.gap_groups import group_gaps
from lipfd_jax.detection.result import make_gap
from lipfd_jax.detection.texts import REASONS


def _places(group):
    return [place.replace("\N{NO-BREAK SPACE}", " ") for place in group.places]


def test_touching_stretches_of_one_reason_are_one():
    turned = [make_gap(0, 2, "profile"), make_gap(2, 3.04, "profile"), make_gap(3.1, 4, "profile")]
    found = group_gaps([make_gap(4, 5, "silent"), *turned])
    assert [group.reason for group in found] == [REASONS["profile"], REASONS["silent"]]
    assert _places(found[0]) == ["0:00.0 to 0:04.0"]
    assert found[0].seconds == pytest.approx(4)


def test_stretches_with_a_window_between_them_are_two():
    (found,) = group_gaps([make_gap(0, 1, "silent"), make_gap(1.5, 2, "silent")])
    assert _places(found) == ["0:00.0 to 0:01.0", "0:01.5 to 0:02.0"]
    assert found.seconds == pytest.approx(1.5)


def test_of_many_stretches_the_short_ones_are_counted():
    short = [make_gap(2 * k, 2 * k + 0.3, "silent") for k in range(30)]
    (found,) = group_gaps([*short, make_gap(100, 103, "silent")])
    assert _places(found) == ["1:40.0 to 1:43.0", "30 shorter stretches of 9 s together"]
    (found,) = group_gaps(short)
    assert _places(found) == ["30 stretches of 9 s together, the longest 0.3 s"]


def test_a_moment_is_one_time():
    (found,) = group_gaps([make_gap(5, 5.04, "damaged")])
    assert _places(found) == ["0:05.0"]


def test_nothing_missing_gives_no_group():
    assert group_gaps([]) == ()
