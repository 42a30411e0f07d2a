"""Results of suites: the same in memory and from their file, of the asked weights only, damage named."""

import dataclasses
import json

import pytest

from lipfd_jax.evaluation.suites.results import (
    SuiteResult,
    read_result,
    with_earlier,
    write_result,
)
from tests.evaluation.suites.test_suite import _result

CONTROLS = _result(0.95, 0.5, 0.5, 0.6)
ROBUSTNESS = dataclasses.replace(CONTROLS, suite="robustness", model_free=None, missing=(("mp3", "why"),))


@pytest.mark.parametrize("result", [CONTROLS, ROBUSTNESS], ids=["controls", "robustness"])
def test_the_file_gives_the_result_back(tmp_path, result):
    write_result(tmp_path, result)
    assert read_result(tmp_path, result.suite) == result
    keys = [field.name for field in dataclasses.fields(SuiteResult)]
    content = json.loads((tmp_path / f"{result.suite}.json").read_text())
    assert list(content) == [key for key in keys if key != "model_free" or result.model_free]
    assert content == result.to_json()


def test_keys_that_the_first_files_lacked_may_be_missing(tmp_path):
    content = CONTROLS.to_json()
    del content["warning"], content["model_free"][0]["lacking"]
    assert SuiteResult.from_json(content) == CONTROLS
    for one in (*content["cells"], *content["model_free"]):
        for name in [name for name in one if name.startswith("matched_rank")]:
            del one[name]
    found = SuiteResult.from_json(content)
    assert found.clean == dataclasses.replace(
        CONTROLS.clean,
        matched_rank=None,
        matched_rank_interval=None,
        matched_rank_difference=None,
        matched_rank_difference_interval=None,
    )
    assert (found.model_free[0].auc, found.model_free[0].matched_rank) == (0.6, None)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 1}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "controls.json").write_text(text)
    with pytest.raises(ValueError, match=r"controls\.json: can't be read .*run the suite again"):
        read_result(tmp_path, "controls")


def test_fresh_results_come_before_files_and_other_weights_are_ignored(tmp_path):
    assert with_earlier([], tmp_path, "w") == {}
    write_result(tmp_path, ROBUSTNESS)
    write_result(tmp_path, CONTROLS)
    fresh = dataclasses.replace(CONTROLS, warning="fresh")
    found = with_earlier([fresh], tmp_path, "w")
    assert list(found.items()) == [("robustness", ROBUSTNESS), ("controls", fresh)]
    assert with_earlier([], tmp_path, "other") == {}


def test_missing_names_are_grouped_by_reason():
    result = dataclasses.replace(CONTROLS, missing=(("a", "x"), ("b", "y"), ("c", "x")))
    assert result.missing_by_reason == {"x": ["a", "c"], "y": ["b"]}
