"""The printed table and metrics.json."""

import dataclasses
import json

import numpy as np
import pytest

from lipfd_jax.evaluation.scores import Scores, read_scores
from lipfd_jax.evaluation.table import align, metrics_json, metrics_table


@pytest.fixture
def published(golden) -> Scores:
    return read_scores(golden / "official_val_scores.csv")


def _cells(table: str, row: str) -> list[str]:
    line = next(line for line in table.splitlines() if line.startswith(row))
    return line[len(row) :].split()


def test_published_figures_are_in_the_table(published):
    table = metrics_table(published)
    assert _cells(table, "ACC at 0.5") == ["0.93717", "0.96181"]
    assert _cells(table, "AUC") == ["0.98716", "0.99598"]
    assert _cells(table, "EER") == ["0.04538", "0.01955"]
    assert _cells(table, "TP") == ["1,525", "453"]
    assert "As the released script prints them" in table
    assert "acc 0.93717  ap 0.92173  fpr 0.09603  fnr 0.03025" in table
    assert "generator" not in table


def test_generators_have_their_own_lines(published):
    names = np.array(["Wav2Lip", "", "bad\x1b[31m"], object)[np.arange(len(published)) % 3]
    table = metrics_table(dataclasses.replace(published, generator=names))
    assert _cells(table, "Wav2Lip")
    assert _cells(table, "(unknown)")
    assert "bad?[31m" in table
    assert "\x1b" not in table


def test_one_class_says_what_is_missing(published):
    table = metrics_table(published.select(published.label == 1))
    assert "windows: all 1687 are fake" in table
    assert _cells(table, "AUC") == ["-", "-"]
    assert _cells(table, "FNR at 0.5") == ["0.09603", "0.05625"]


def test_json_is_strict_and_complete(published):
    names = np.where(published.label == 1, "Wav2Lip", "").astype(object)
    scores = dataclasses.replace(published, generator=names)
    content = json.loads(json.dumps(metrics_json(scores, {"windows": "released"}), allow_nan=False))
    assert content["version"] == 1
    assert content["notes"] == {"windows": "released"}
    assert content["windows"]["tp"] == 1525
    assert content["videos"]["n"] == 838
    assert content["generators"]["Wav2Lip"]["videos"] == content["videos"]
    assert content["as_released"]["ap"] == pytest.approx(0.92173, abs=5e-6)


def test_nothing_scored():
    empty = Scores.from_rows([])
    assert "nothing was scored" in metrics_table(empty)
    assert json.loads(json.dumps(metrics_json(empty), allow_nan=False))["windows"]["auc"] is None


def test_align():
    assert align([["", "b"], ["long", "1.5"]]) == "        b\nlong  1.5"
