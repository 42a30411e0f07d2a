"""Figures of out-of-fold scores: calibration across folds, and rates of generators."""

import numpy as np
import pytest

from lipfd_jax.evaluation.calibration import CalibrationSettings
from lipfd_jax.evaluation.metrics.pooling import pool_videos
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores
from lipfd_jax.tools.weights.card import _describe_alarms
from lipfd_jax.tools.weights.figures import cross_calibrate, figures_of, rate_generators, select


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    rows = []
    for number in range(60):
        label = number % 2
        for window in range(2):
            score = 1 / (1 + np.exp(-rng.normal(1.5 if label else -1.5)))
            kind = "1_fake" if label else "0_real"
            rows.append(
                ScoreRow(
                    path=f"{kind}/{number}_{window}.png",
                    label=label,
                    score=float(score),
                    video=f"{kind}/{number}",
                    source=f"g{number // 2}",
                    generator=f"maker{number % 3}" if label else "",
                    window=window,
                )
            )
    return Scores.from_rows(rows)


@pytest.fixture(scope="module")
def folds():
    return {f"g{k}": k % 3 for k in range(30)}


def test_ratios_of_a_fold_do_not_depend_on_its_own_labels(scores, folds):
    settings = CalibrationSettings(target_fpr=0.05)
    ratios = cross_calibrate(scores, folds, settings)
    flipped = select(scores, np.ones(len(scores.label), bool))
    mine = np.array([folds[source] == 0 for source in scores.source])
    flipped.label[mine] = 1 - flipped.label[mine]
    again = cross_calibrate(flipped, folds, settings)
    fold = np.array([folds[source] for source in pool_videos(scores).source])
    np.testing.assert_allclose(ratios[fold == 0], again[fold == 0])
    assert (ratios[fold == 1] != again[fold == 1]).any()


def test_ratios_are_capped_by_the_number_of_people(scores, folds):
    ratios = cross_calibrate(scores, folds, CalibrationSettings())
    assert np.abs(ratios).max() <= np.log10(20) + 1e-9  # the other folds have 20 groups of each class


def test_figures_hold_rank_and_auc(scores):
    videos = pool_videos(scores)
    found = figures_of("all", videos)
    assert found.videos == 60
    assert found.matched_rank.groups == 30
    assert 0.8 < found.auc <= 1
    some = figures_of("some", videos, videos.label == 1)
    assert some.auc is None
    assert some.matched_rank.value is None


def test_generators_are_counted(scores):
    videos = pool_videos(scores)
    rows = rate_generators(videos, videos.pooled > 0.5)
    assert sum(count for _, count, _ in rows) == 30
    assert all(0 <= found <= count for _, count, found in rows)


def test_alarms_are_shares_of_real_clips():
    real, found = np.array([True] * 4 + [False] * 2), np.array([True, False, False, False, True, True])
    assert "1 of 4 real clips (25.0%) and 2 of 2 forged" in _describe_alarms(real, found)
