"""Streams of composites: order kept, batches full, the next item made ahead, errors raised."""

import threading

import numpy as np
import pytest

from lipfd_jax.inference.stream import score_stream
from lipfd_jax.runtime.read_ahead import read_ahead


@pytest.mark.parametrize("batch_size", [1, 2, 8, 100])
@pytest.mark.parametrize("counts", [[], [0], [10, 10, 10], [0, 3, 0, 9, 1, 0]])
def test_every_item_gets_its_own_scores_in_order(counts, batch_size):
    starts = np.cumsum([0, *counts])[:-1]
    items = [
        (f"item {place}", np.arange(start, start + count)[:, None])
        for place, (start, count) in enumerate(zip(starts, counts, strict=True))
    ]
    found = list(score_stream(lambda batch: batch[:, 0] / 2, items, batch_size))
    assert [item for item, _ in found] == [item for item, _ in items]
    for (_, scores), (_, own) in zip(found, items, strict=True):
        np.testing.assert_array_equal(scores, own[:, 0] / 2)


def test_batches_are_full_but_for_the_last():
    sizes = []

    def score(batch):
        sizes.append(len(batch))
        return np.zeros(len(batch))

    list(score_stream(score, [(place, np.zeros((10, 1))) for place in range(3)], 8))
    assert sizes == [8, 8, 8, 6]


def test_an_item_comes_as_soon_as_it_is_scored():
    seen = []

    def items():
        for place in range(4):
            seen.append(place)
            yield place, np.zeros((2, 1))

    stream = score_stream(lambda batch: np.zeros(len(batch)), items(), 2)
    assert next(stream)[0] == 0
    assert seen == [0]


def test_the_next_item_is_made_while_the_caller_works():
    made = threading.Event()

    def items():
        yield "first"
        made.set()
        yield "second"

    ahead = read_ahead(items())
    assert next(ahead) == "first"
    assert made.wait(20)
    assert list(ahead) == ["second"]


def test_what_fails_ahead_is_raised_in_its_turn():
    def items():
        yield 1
        raise OSError("gone")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)
