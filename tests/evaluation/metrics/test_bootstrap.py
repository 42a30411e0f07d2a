"""Intervals over sources: what is drawn together, what stays, and what is said about too few."""

import numpy as np
import pytest

from lipfd_jax.evaluation.metrics.bootstrap import (
    BootstrapSettings,
    compute_difference_intervals,
    compute_intervals,
    draw_sources,
)
from lipfd_jax.evaluation.metrics.compute import compute_metrics


def _data(sources: int, each: int, seed: int = 0):
    random = np.random.default_rng(seed)
    place = np.repeat(np.arange(sources), each)
    labels = place % 2
    scores = np.clip(random.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    return labels, scores, place.astype(str)


def test_the_same_seed_gives_the_same_intervals():
    labels, scores, sources = _data(40, 5)
    found = [
        compute_intervals(labels, scores, sources, 0.5, BootstrapSettings(50, seed)) for seed in (1, 1, 2)
    ]
    assert found[0].values == found[1].values
    assert found[0].values != found[2].values


def test_every_figure_has_an_interval_around_it():
    labels, scores, sources = _data(60, 5)
    found = compute_intervals(labels, scores, sources, 0.5, BootstrapSettings(200))
    metrics = compute_metrics(labels, scores)
    for name in ("auc", "ap", "acc", "balanced_acc", "eer", "fpr", "fnr", "brier", "cllr", "partial_auc"):
        low, high = found[name]
        assert low <= metrics[name] <= high, name
        assert low < high, name


def test_sources_are_drawn_whole_and_every_kind_keeps_its_number():
    labels = np.array([0, 0, 1, 1, 1, 0, 1])
    sources = np.array(["a", "a", "b", "c", "c", "d", "d"])  # d has both
    draws, place, counts = draw_sources(labels, sources, BootstrapSettings(100))
    assert counts == (2, 3, 1)
    assert place.tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert (draws[:, 0] == 1).all()
    assert (draws[:, 3] == 1).all()
    assert (draws[:, 1] + draws[:, 2] == 2).all()
    assert set(draws[:, 1]) == {0, 1, 2}


def test_copies_of_windows_do_not_narrow_an_interval():
    labels, scores, sources = _data(40, 1)
    once = compute_intervals(labels, scores, sources, 0.5, BootstrapSettings(200))
    copies = [np.repeat(values, 10) for values in (labels, scores, sources)]
    assert compute_intervals(*copies, 0.5, BootstrapSettings(200))["auc"] == pytest.approx(
        once["auc"], abs=1e-12
    )


@pytest.mark.slow
def test_coverage_of_a_share():
    """Of 100 sets of 60 + 60 sources, about 95 intervals hold the true miss rate of 0.3."""
    random, held = np.random.default_rng(0), 0
    labels, sources = np.arange(120) % 2, np.arange(120).astype(str)
    for _ in range(100):
        scores = np.where(random.random(120) < 0.3, 0.2, 0.8)
        low, high = compute_intervals(labels, scores, sources, 0.5, BootstrapSettings(200))["fnr"]
        held += low <= 0.3 <= high
    assert 88 <= held <= 100


def test_few_sources_are_warned_of():
    labels, scores, sources = _data(30, 2)
    found = compute_intervals(labels, scores, sources, 0.5, BootstrapSettings(10))
    assert (found.real_sources, found.fake_sources) == (15, 15)
    assert found.warning == (
        "intervals are too narrow: fewer than 20 sources (15 of real ones, 15 of fake ones)"
    )
    assert found["auc"] is not None
    assert compute_intervals(*_data(40, 1), 0.5, BootstrapSettings(10)).warning == ""


@pytest.mark.parametrize(("both", "held"), [(1, "one source"), (5, "5 sources")])
def test_few_sources_of_both_classes_are_warned_of(both, held):
    """Enough for an AUC, but not for the matched rank."""
    labels, scores, sources = _data(60, 1)
    sources = sources.copy()
    fakes, real = (np.flatnonzero(labels == label)[:both] for label in (1, 0))
    sources[fakes] = sources[real]
    found = compute_intervals(labels, scores, sources, 0.5, BootstrapSettings(10))
    assert found.matched_sources == both
    assert found.warning == (
        f"the interval of the matched rank is too narrow: only {held} with real ones and fakes"
    )


def test_one_class_or_nothing():
    labels, scores, sources = _data(40, 2)
    fake = labels == 1
    found = compute_intervals(labels[fake], scores[fake], sources[fake], 0.5, BootstrapSettings(20))
    assert found["auc"] is None
    assert found["fpr"] is None
    assert found["fnr"] is not None
    assert found.warning == ""
    assert compute_intervals(labels[:0], scores[:0], sources[:0], 0.5)["auc"] is None


def test_paired_differences_see_what_separate_intervals_hide():
    labels, scores, sources = _data(60, 3)
    worse = np.clip(scores - 0.02 * labels, 0, 1)  # every fake a little lower
    apart = [
        compute_intervals(labels, one, sources, 0.5, BootstrapSettings(300))["auc"] for one in (scores, worse)
    ]
    assert apart[0][0] < apart[1][1]  # the two intervals overlap
    low, high = compute_difference_intervals(
        labels, scores, worse, sources, (0.5, 0.5), BootstrapSettings(300)
    )["auc"]
    assert 0 < low < high
    same = compute_difference_intervals(labels, scores, scores, sources, (0.5, 0.5), BootstrapSettings(20))
    assert same["auc"] == (0, 0)


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"confidence": 1.0}, {"seed": -1}])
def test_impossible_drawings_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        BootstrapSettings(**wrong)
