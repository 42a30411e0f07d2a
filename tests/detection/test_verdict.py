"""Evidence and outcomes by hand-worked values."""

import dataclasses
import math

import numpy as np
import pytest

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.detection import verdict
from lipfd_jax.detection.quality_warnings import make_caution
from lipfd_jax.detection.result import Evidence
from lipfd_jax.detection.texts import OUTCOMES
from lipfd_jax.evaluation.metrics.pooling import DEFAULT_DECISION, make_decision, pool_videos
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores

CALIBRATION = Calibration(
    kind="temperature", slope=1.0, intercept=0.0, pooling="mean", top=None, threshold=0.5,
    threshold_choice="equal error rate", prior=0.5, data="drawn", data_fingerprint="x", videos=2000,
    sources_real=1000, sources_fake=1000, false_positive_rate=0.05, false_negative_rate=0.1, weights="w",
    date="2026-01-01",
)  # fmt: skip


DECISION = make_decision(CALIBRATION)


def _outcome(score, decision=DECISION, cautions=()):
    return verdict.choose_outcome(verdict.compute_evidence([score], decision), decision, cautions)


def test_evidence_is_the_calibrations():
    found = verdict.compute_evidence([0.8, 0.9, 1.0], DECISION)
    assert found.score == pytest.approx(0.9)
    assert found.log10_likelihood_ratio == pytest.approx(math.log10(9))  # odds 9 to 1, at even prior odds
    assert found.probability == pytest.approx(0.9)


def test_outcomes_with_a_calibration():
    assert _outcome(0.999) == "strong"  # 999 times
    assert _outcome(0.95) == "moderate"  # 19 times
    assert _outcome(0.8) == "inconclusive"  # 4 times
    assert _outcome(0.3) == "none"
    assert verdict.choose_outcome(verdict.NO_EVIDENCE, DECISION) == "not_judged"


def test_no_strong_word_without_a_calibration():
    assert _outcome(1.0, DEFAULT_DECISION) == "moderate"
    assert _outcome(0.7, DEFAULT_DECISION) == "inconclusive"
    assert _outcome(0.2, DEFAULT_DECISION) == "none"


def test_two_serious_warnings_make_anything_inconclusive():
    serious = [make_caution("small_face", "100", "224"), make_caution("low_frame_rate", "10")]
    assert _outcome(0.999, cautions=serious[:1]) == "strong"
    assert _outcome(0.999, cautions=serious) == "inconclusive"
    assert _outcome(0.1, cautions=serious) == "inconclusive"
    assert _outcome(0.999, cautions=[make_caution("narrow_sound", "8")] * 3) == "strong"


@pytest.mark.parametrize("real", [12, 60, 99])
def test_no_score_is_strong_evidence_where_too_few_sources_were_measured(real):
    capped = make_decision(dataclasses.replace(CALIBRATION, sources_real=real, slope=5.0))
    assert _outcome(1.0, capped) == "moderate"
    faces = [verdict.compute_evidence([1.0], capped)] * 3
    assert verdict.choose_outcome(verdict.combine_faces(faces, capped), capped) == "moderate"


def test_fewer_than_ten_sources_allow_no_evidence_at_all():
    capped = make_decision(dataclasses.replace(CALIBRATION, sources_fake=9, slope=5.0))
    assert _outcome(1.0, capped) == "inconclusive"


def test_of_several_faces_the_mean_of_the_ratios_counts():
    faces = [Evidence(0.9, 1.0, 0.9), Evidence(0.1, -1.0, 0.1), Evidence(None, None, None)]
    found = verdict.combine_faces(faces, DECISION)
    assert found.score == 0.9
    assert found.log10_likelihood_ratio == pytest.approx(math.log10((10 + 0.1) / 2))
    assert found.probability == pytest.approx(5.05 / 6.05)


def test_never_is_a_video_called_authentic():
    for text in OUTCOMES.values():
        assert "authentic" not in " ".join(text).lower()
    assert "proves nothing" in OUTCOMES["none"].caveat


def test_the_curve_is_a_median_and_keeps_edges():
    middles = np.arange(0, 10, 0.25)
    scores = np.where(middles < 5, 0.1, 0.9)
    scores[8] = 1.0  # a single odd window
    smooth = verdict.smooth_scores(middles, scores)
    assert smooth[8] == pytest.approx(0.1)
    (found,) = verdict.find_suspicions(middles, smooth)
    assert (found.start, found.score) == (pytest.approx(4.875), 0.9)
    assert found.end == pytest.approx(9.75 + 0.1)


def test_a_gap_ends_a_suspicious_stretch():
    middles = np.array([1.0, 1.5, 9.0, 9.5])
    first, second = verdict.find_suspicions(middles, np.full(4, 0.9))
    assert (first.start, first.end) == (pytest.approx(0.9), pytest.approx(1.6))
    assert (second.start, second.end) == (pytest.approx(8.9), pytest.approx(9.6))


@pytest.mark.parametrize("rate", [23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 119.88])
@pytest.mark.parametrize("every", [1, 7])
def test_neighbouring_windows_are_one_stretch_at_every_frame_rate(rate, every):
    starts = np.arange(0, 10.4 * rate - 5, every)
    middles = (starts + 2.5) / rate
    (found,) = verdict.find_suspicions(middles, np.full(len(middles), 0.9), within=(0.0, 10.4))
    assert (found.start, found.end) == (pytest.approx(0, abs=0.03), pytest.approx(10.4, abs=0.3))
    assert found.start >= 0
    assert found.end <= 10.4


def test_a_stretch_never_exceeds_its_face():
    middles = np.array([0.05, 0.55, 1.05])
    (found,) = verdict.find_suspicions(middles, np.full(3, 0.9), within=(0.0, 1.08))
    assert (found.start, found.end) == (0.0, 1.08)


def test_one_window_below_the_threshold_parts_two_stretches():
    middles, smooth = np.arange(5) + 0.5, np.array([0.9, 0.9, 0.2, 0.9, 0.9])
    first, second = verdict.find_suspicions(middles, smooth)
    assert (first.start, first.end) == (pytest.approx(0.4), pytest.approx(2.0))
    assert (second.start, second.end) == (pytest.approx(3.0), pytest.approx(4.6))


def test_each_stretch_has_its_own_peak():
    middles, smooth = np.arange(5) + 0.5, np.array([0.9, 0.8, 0.2, 0.7, 0.9])
    scores = np.array([0.6, 1.0, 0.99, 0.95, 0.7])
    first, second = verdict.find_suspicions(middles, smooth, scores=scores)
    assert (first.peak_time, first.peak_score) == (1.5, 1.0)
    assert (second.peak_time, second.peak_score) == (3.5, 0.95)
    assert (first.score, second.score) == (0.9, 0.9)


@pytest.mark.parametrize(("pooling", "top"), [("mean", None), ("topk", 3), ("topk", 99), ("max", None)])
def test_a_face_is_pooled_and_called_as_in_evaluation(pooling, top):
    scores = np.random.default_rng(4).uniform(0, 1, 11)
    decision = make_decision(
        dataclasses.replace(CALIBRATION, pooling=pooling, top=top, slope=2.0, threshold=0.7)
    )
    rows = [
        ScoreRow(path=f"1_fake/a_{k}.png", label=1, score=float(s), video="1_fake/a", source="a", window=k)
        for k, s in enumerate(scores)
    ]
    evaluated = pool_videos(Scores.from_rows(rows), decision.pooling, decision.calibration)
    found = verdict.compute_evidence(scores, decision)
    assert (found.score, found.probability) == (evaluated.pooled[0], evaluated.score[0])
    assert decision.is_fake(found.score) == (evaluated.score[0] >= decision.threshold)
