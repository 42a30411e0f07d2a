"""Windows of several threads scored together, each thread getting its own."""

import concurrent.futures

import numpy as np
import pytest

from lipfd_jax.detection.batches import SharedBatches


def test_every_thread_gets_the_scores_of_its_own_windows():
    sizes = []

    def predict(composites):
        sizes.append(len(composites))
        return composites * 2.0, composites * 3.0

    batches = SharedBatches(predict, size=lambda: 4)

    def work(number):
        with batches.client() as score:
            for k in range(20):
                values = np.array([number * 100 + k, number])
                scores, weights = score(values)
                np.testing.assert_array_equal(scores, 2 * values)
                np.testing.assert_array_equal(weights, 3 * values)
        return number

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [0, 1, 2]
    assert sum(sizes) == 3 * 20 * 2


def test_what_goes_wrong_reaches_the_thread_that_asked():
    def predict(composites):
        raise RuntimeError("out of memory")

    with (
        SharedBatches(predict, size=lambda: 1).client() as score,
        pytest.raises(RuntimeError, match="out of memory"),
    ):
        score(np.zeros(1))
