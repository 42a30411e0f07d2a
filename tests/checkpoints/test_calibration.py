"""A calibration gives probabilities computed by hand, and its file is read back exactly or refused."""

import dataclasses
import json
import math

import numpy as np
import pytest

from lipfd_jax.checkpoints.calibration import (
    FILE,
    Calibration,
    logit,
    read_calibration,
    write_calibration,
)
from lipfd_jax.checkpoints.errors import CheckpointError

PLATT = Calibration(
    kind="platt",
    slope=2.0,
    intercept=1.0,
    pooling="topk",
    top=3,
    threshold=0.4,
    threshold_choice="equal error rate",
    prior=0.75,
    data="a test",
    data_fingerprint="0123456789abcdef",
    videos=40,
    sources_real=10,
    sources_fake=30,
    false_positive_rate=0.1,
    false_negative_rate=0.05,
    weights="fedcba9876543210",
    date="2026-11-24",
)


def test_probabilities_are_those_worked_out_by_hand():
    # Odds of a fake 3 : 1 become 9e : 1 with slope 2 and intercept 1, even odds e : 1.
    expected = [9 * math.e / (1 + 9 * math.e), math.e / (1 + math.e)]
    np.testing.assert_allclose(PLATT.probability(np.array([0.75, 0.5])), expected, rtol=1e-12)
    temperature = dataclasses.replace(PLATT, kind="temperature", slope=0.5, intercept=0.0)
    assert temperature.probability(0.8) == pytest.approx(2 / 3)  # the root of odds 4 : 1 is 2 : 1


def test_likelihood_ratios_are_odds_over_the_prior_s_and_capped():
    # Odds e : 1 after odds 3 : 1 of the prior: a ratio of e / 3.
    assert PLATT.log10_likelihood_ratio(0.5) == pytest.approx(math.log10(math.e / 3))
    np.testing.assert_allclose(PLATT.log10_likelihood_ratio([0.0, 0.999, 1.0]), [-1, 1, 1])  # ten sources
    lone = dataclasses.replace(PLATT, sources_real=1)
    assert lone.log10_likelihood_ratio(0.999) == 0


def test_scores_of_exactly_0_and_1_stay_finite_and_others_are_refused():
    np.testing.assert_allclose(logit([0.0, 0.5, 1.0]), [-16.118096, 0, 16.118096], rtol=1e-6)
    for wrong in (1.5, -0.1, math.nan):
        with pytest.raises(ValueError, match="from 0 to 1"):
            logit([0.5, wrong])


def test_it_comes_back_from_the_checkpoint_s_folder(tmp_path):
    assert read_calibration(tmp_path) is None
    write_calibration(tmp_path, PLATT)
    assert read_calibration(tmp_path) == PLATT
    other = dataclasses.replace(PLATT, pooling="mean", top=None)
    write_calibration(tmp_path, other)
    assert read_calibration(tmp_path) == other


def test_no_flipped_bit_goes_unnoticed(tmp_path):
    write_calibration(tmp_path, PLATT)
    raw, refused = (tmp_path / FILE).read_bytes(), 0
    for position in range(len(raw)):
        flipped = raw[position] ^ 1 << position % 8
        (tmp_path / FILE).write_bytes(raw[:position] + bytes([flipped]) + raw[position + 1 :])
        try:
            assert read_calibration(tmp_path) == PLATT  # white space became other white space
        except CheckpointError as error:
            assert FILE in str(error)  # noqa: PT017 (either way is right)
            refused += 1
    assert refused > 0.9 * len(raw)


def test_a_foreign_file_is_refused_by_name(tmp_path):
    for content in ("[]", "{}", '{"version": 2}', '{"version": 1, "slope": 1}', "\x00", ""):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(CheckpointError, match=r"calibration\.json: .*remove calibration\.json"):
            read_calibration(tmp_path)
    values = PLATT.to_json()
    (tmp_path / FILE).write_text(json.dumps({**values, "slope": 3.0}))
    with pytest.raises(CheckpointError, match="edited by hand"):
        read_calibration(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "isotonic"),
        ("slope", 0.0),
        ("slope", math.nan),
        ("intercept", math.inf),
        ("pooling", "not a pooling"),
        ("top", None),
        ("threshold", 1.5),
        ("prior", 0.0),
        ("videos", 0),
        ("sources_fake", 0),
        ("false_negative_rate", -0.1),
        ("date", "24.11.2026"),
    ],
)
def test_impossible_values_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"{field}="):
        dataclasses.replace(PLATT, **{field: value})
    with pytest.raises(ValueError, match="0 for a temperature"):
        dataclasses.replace(PLATT, kind="temperature")
