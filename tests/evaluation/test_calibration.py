"""Calibration fitted on scores: known lines found again, thresholds by hand, published scores in halves."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.evaluation.calibration import CalibrationSettings, calibrate_checkpoint, fit_calibration
from lipfd_jax.evaluation.metrics.compute import compute_metrics
from lipfd_jax.evaluation.metrics.pooling import Pooling, make_decision, pool_videos
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores, read_scores


def _scores(labels, values) -> Scores:
    rows = [
        ScoreRow(
            path=f"x/{i}_0.png", label=int(label), score=float(value), video=f"x/{i}", source=str(i), window=0
        )
        for i, (label, value) in enumerate(zip(labels, values, strict=True))
    ]
    return Scores.from_rows(rows)


def _fit(scores: Scores, **options):
    return fit_calibration(
        scores, CalibrationSettings(**options), weights="w", data="some videos", data_fingerprint="f"
    )


def test_a_known_line_is_found_again():
    """Scores whose true log odds are 2 x logit + 1, many of them, and one class twice as often."""
    random = np.random.default_rng(0)
    logit = random.normal(0, 1.5, 40000)
    fake = random.random(40000) < 1 / (1 + np.exp(-(2 * logit + 1)))
    values, labels = 1 / (1 + np.exp(-logit)), fake.astype(int)
    count = min(np.sum(labels == 0), np.sum(labels == 1)) // 2
    even = np.concatenate([np.flatnonzero(labels == 0)[: 2 * count], np.flatnonzero(labels == 1)[:count]])
    offset = np.log(labels.mean() / (1 - labels.mean()))  # the classes drawn are not even, the fit's are
    found = _fit(_scores(labels[even], values[even]))
    assert found.slope == pytest.approx(2, abs=0.1)
    assert found.intercept == pytest.approx(1 - offset, abs=0.1)
    assert found.prior == 0.5


def test_a_temperature_has_no_intercept_and_keeps_one_half():
    random = np.random.default_rng(1)
    labels = np.arange(400) % 2
    values = np.clip(random.normal(0.4 + 0.2 * labels, 0.15), 0.01, 0.99)
    found = _fit(_scores(labels, values), kind="temperature")
    assert found.intercept == 0
    assert found.probability(0.5) == 0.5
    assert found.slope > 1


def test_classes_that_do_not_overlap_give_a_finite_line():
    found = _fit(_scores([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]))
    assert 0 < found.slope < 10
    assert (found.false_positive_rate, found.false_negative_rate) == (0, 0)
    assert 0.05 < found.probability(0.1) < 0.5 < found.probability(0.9) < 0.95


def test_thresholds():
    # 20 real ones from 0.01 to 0.20 and fakes between and above them.
    labels = [0] * 20 + [1] * 5
    values = [i / 100 for i in range(1, 21)] + [0.195, 0.185, 0.5, 0.6, 0.7]
    scores = _scores(labels, values)
    one = _fit(scores, target_fpr=0.05)  # 1 of 20 allowed: 0.20; the lowest fake then called is 0.195
    assert one.probability(0.19) < one.threshold < one.probability(0.195)
    assert (one.false_positive_rate, one.false_negative_rate) == (0.05, 0.2)
    none = _fit(scores, target_fpr=0.04)  # none allowed
    assert none.probability(0.20) < none.threshold < none.probability(0.5)
    assert none.false_positive_rate == 0
    assert none.threshold_choice == "false positive rate 0.04 on 25 videos it was fitted on"
    assert _fit(scores).threshold_choice.startswith("equal error rate")


def test_sources_and_the_cap_on_likelihood_ratios():
    found = _fit(_scores([0] * 8 + [1] * 5, [0.1] * 8 + [0.9] * 5))
    assert (found.videos, found.sources_real, found.sources_fake) == (13, 8, 5)
    assert abs(found.log10_likelihood_ratio(np.array([0.0, 1.0]))).max() <= np.log10(5)


def test_what_can_not_be_fitted_is_refused():
    with pytest.raises(ValueError, match="some videos: a calibration needs real and fake"):
        _fit(_scores([1, 1], [0.5, 0.6]))
    with pytest.raises(ValueError, match="do not score higher"):
        _fit(_scores([0, 0, 1, 1], [0.8, 0.9, 0.1, 0.2]))
    with pytest.raises(ValueError, match=r"target_fpr=1\.5"):
        CalibrationSettings(target_fpr=1.5)


def test_a_decision_follows_the_calibration():
    found = _fit(_scores([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]), pooling=Pooling("max"))
    decision = make_decision(found)
    assert decision.threshold == found.threshold
    assert decision.pooling == Pooling("max")
    assert found.probability(decision.window_threshold) == pytest.approx(found.threshold)
    assert "calibrated (platt)" in str(decision)
    other = make_decision(found, threshold=0.9)
    assert (other.threshold, other.chosen) == (0.9, "chosen for this run")
    with pytest.raises(ValueError, match="--calibration=none"):
        make_decision(found, pooling=Pooling("mean"))
    with pytest.raises(ValueError, match="threshold 2"):
        make_decision(threshold=2)
    unknown = dataclasses.replace(found, pooling="no_pooling")
    with pytest.raises(ValueError, match=r"'no_pooling': expected one of .*remove calibration\.json"):
        make_decision(unknown)


def test_published_scores_by_halves_of_the_sources(golden):
    """Fitted on one half, tested on the other, both ways round."""
    scores = read_scores(golden / "official_val_scores.csv")
    names = np.unique(scores.source)
    chosen = np.isin(scores.source, names[np.random.default_rng(0).permutation(len(names)) % 2 == 0])
    for part in (chosen, ~chosen):
        found = _fit(scores.select(part))
        before, after = (pool_videos(scores.select(~part), calibration=c) for c in (None, found))
        old, new = (compute_metrics(videos.label, videos.score) for videos in (before, after))
        assert new.ece < 0.4 * old.ece
        assert new.cllr < 0.6 * old.cllr
        assert new.auc == pytest.approx(old.auc, abs=1e-12)
        assert new.min_cllr == pytest.approx(old.min_cllr, abs=1e-12)


def test_the_calibration_of_the_installation_is_not_replaced(tmp_path):
    with pytest.raises(ValueError, match="lipfd convert lipfd:small COPY --packed"):
        calibrate_checkpoint("lipfd:small", [], tmp_path, settings=CalibrationSettings())
