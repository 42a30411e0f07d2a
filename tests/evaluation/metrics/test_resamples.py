"""Metrics of bootstrap draws against the plain ones on data repeated as often as it was drawn."""

import numpy as np
import pytest

from lipfd_jax.evaluation.metrics import compute
from lipfd_jax.evaluation.metrics.compute import compute_metrics
from lipfd_jax.evaluation.metrics.samples import Sample

COUNTS = {"n", "positives", "threshold", "tp", "tn", "fp", "fn", "matched_sources"}
COUNTS |= {"missing", "best_threshold"}


def _data(seed: int, ties: bool):
    random = np.random.default_rng(seed)
    labels = np.arange(60) % 2
    scores = np.clip(random.normal(0.4 + 0.2 * labels, 0.25), 0, 1)
    place = random.integers(0, 12, 60)
    draws = random.integers(0, 4, (5, 12))
    draws[:, place[:2]] += 1  # both classes stay
    return labels, np.round(scores, 1) if ties else scores, draws, place


def _resample(labels, scores, draws, place, threshold):
    return compute.resample_metrics(Sample.build(labels, scores, threshold), place, draws)


def _number_copies(copies, place):
    """Sources of repeated rows, in which every copy of a source is one of its own."""
    number = np.arange(len(copies)) - np.searchsorted(copies, copies)  # equal rows follow each other
    return place[copies] + 12 * number


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_a_weight_is_a_number_of_copies(seed, ties):
    labels, scores, draws, place = _data(seed, ties)
    found = _resample(labels, scores, draws, place, 0.45)
    for row, drawn in enumerate(draws):
        copies = np.repeat(np.arange(60), drawn[place])
        sources = _number_copies(copies, place)
        expected = compute_metrics(labels[copies], scores[copies], 0.45, sources=sources).to_json()
        assert set(found) == set(expected) - COUNTS
        for name, values in found.items():
            assert values[row] == pytest.approx(expected[name], abs=1e-9), name


def test_pieces_do_not_change_figures(monkeypatch):
    labels, scores, draws, place = _data(0, True)
    whole = _resample(labels, scores, draws, place, 0.5)
    monkeypatch.setattr(compute, "_CELLS", 120)  # two draws at a time
    pieces = _resample(labels, scores, draws, place, 0.5)
    for name, values in whole.items():
        np.testing.assert_allclose(pieces[name], values, rtol=1e-12)


def test_one_class_has_no_figures_that_compare():
    found = _resample(np.ones(4), np.array([0.1, 0.6, 0.7, 0.9]), np.ones((2, 1), int), np.zeros(4, int), 0.5)
    assert found["fnr"].tolist() == [0.25, 0.25]
    for name in ("auc", "ap", "eer", "partial_auc", "cllr", "min_cllr", "fpr", "tpr_at_fpr_1"):
        assert np.isnan(found[name]).all(), name
