"""Calibration figures against values worked out by hand."""

import math

import numpy as np
import pytest

from lipfd_jax.evaluation.metrics import calibration_metrics as figures


def test_a_score_that_says_nothing_costs_one_bit():
    assert figures.compute_cllr(np.array([0, 0, 1]), np.full(3, 0.5)) == pytest.approx(1)
    assert figures.compute_brier(np.array([0, 1]), np.full(2, 0.5)) == pytest.approx(0.25)
    assert figures.compute_log_loss(np.array([0, 1]), np.full(2, 0.5)) == pytest.approx(math.log(2))


def test_cllr_by_hand():
    # LR 3 and 1 of the fakes, 1/3 of the real one: log2(4/3), log2(2), log2(4/3).
    labels, scores = np.array([1, 1, 0]), np.array([0.75, 0.5, 0.25])
    expected = ((math.log2(4 / 3) + 1) / 2 + math.log2(4 / 3)) / 2
    assert figures.compute_cllr(labels, scores) == pytest.approx(expected)


def test_classes_count_alike_however_many_they_are():
    labels, scores = np.array([1, 0]), np.array([0.8, 0.4])
    more = np.array([1] * 7 + [0]), np.array([0.8] * 7 + [0.4])
    assert figures.compute_cllr(*more) == pytest.approx(figures.compute_cllr(labels, scores))


def test_min_cllr_by_hand():
    # Pools from the lowest up: {0}, {1, 0} (out of order), {1}: only the middle one costs, and there LR is 1.
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.9])
    assert figures.compute_min_cllr(labels, scores) == pytest.approx(0.5)
    # Ties pool too.
    assert figures.compute_min_cllr(np.array([0, 1]), np.array([0.4, 0.4])) == pytest.approx(1)
    assert figures.compute_min_cllr(np.array([0, 1]), np.array([0.1, 0.2])) == 0
    assert figures.compute_min_cllr(np.array([1, 0]), np.array([0.1, 0.2])) == pytest.approx(1)


def test_min_cllr_knows_no_scale():
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    scores = np.clip(random.normal(0.4 + 0.2 * labels, 0.2), 0.01, 0.99)
    least = figures.compute_min_cllr(labels, scores)
    assert figures.compute_min_cllr(labels, scores**5) == pytest.approx(least, abs=1e-12)
    assert least < figures.compute_cllr(labels, scores) < figures.compute_cllr(labels, scores**5)


def test_scores_of_exactly_0_and_1_cost_much_but_not_infinitely():
    cost = figures.compute_cllr(np.array([0, 1]), np.array([1.0, 0.0]))
    assert 20 < cost < 30
    assert 10 < figures.compute_log_loss(np.array([0, 1]), np.array([1.0, 0.0])) < 20


def test_expected_calibration_error_by_hand():
    # Bins of 1/15: 0.01 and 0.05 share the first (mean 0.03, no fake), 0.9 lies alone (a fake).
    labels, scores = np.array([0, 0, 1]), np.array([0.01, 0.05, 0.9])
    assert figures.compute_ece(labels, scores) == pytest.approx((2 * 0.03 + 0.1) / 3)
    assert figures.assign_bins(np.array([0, 1 / 15, 1])).tolist() == [0, 1, 14]
