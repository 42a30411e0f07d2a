"""Processes that die must not take other work with them."""

from datasets_tfds.workers import Crashed, run


def test_no_workers_means_this_process():
    assert list(run(len, ["a", "bb"], 0)) == [("a", 1), ("bb", 2)]


def test_results_come_with_their_items():
    assert sorted(run(len, ["a", "bb", "ccc"], 2)) == [("a", 1), ("bb", 2), ("ccc", 3)]


def test_only_the_item_that_kills_its_process_is_lost():
    deadly = "__import__('os')._exit(3)"
    items = ["1 + 1", "2 + 2", deadly, "3 + 3", "4 + 4"]
    results = dict(run(eval, items, 2))
    assert isinstance(results.pop(deadly), Crashed)
    assert results == {"1 + 1": 2, "2 + 2": 4, "3 + 3": 6, "4 + 4": 8}
