"""The printed tables."""

import dataclasses

import numpy as np
import pytest

from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.compute import compute_released_metrics
from lipfd_jax.evaluation.metrics.pooling import Pooling, make_decision
from lipfd_jax.evaluation.metrics.scores import Scores, read_scores
from lipfd_jax.evaluation.metrics.summary import summarise_scores
from lipfd_jax.evaluation.report.text_tables import align_columns, format_summary


@pytest.fixture(scope="module")
def published(golden) -> Scores:
    return read_scores(golden / "official_val_scores.csv")


def _table(scores: Scores, **options) -> str:
    return format_summary(
        summarise_scores(scores, make_decision(**options), BootstrapSettings(10)),
        compute_released_metrics(scores),
    )


def _cells(table: str, row: str) -> list[str]:
    """The cells of a row of the first table, without intervals."""
    line = next(line for line in table.splitlines() if line.startswith(row + " "))
    return [cell for cell in line[len(row) :].split() if cell[0] != "[" and cell[-1] != "]"]


def test_published_figures_are_in_the_table(published):
    table = _table(published)
    assert _cells(table, "ACC at 0.5") == ["0.93717", "0.96181"]
    assert _cells(table, "AUC") == ["0.98716", "0.99598"]
    assert _cells(table, "EER") == ["0.04538", "0.01955"]
    assert _cells(table, "TP") == ["1,525", "453"]
    assert "mean of a video's windows; fake from 0.5 on (default)" in table
    assert "10 draws of sources (358 with real videos, 480 with fakes), seed 0" in table
    assert "As the released script prints them" in table
    assert "acc 0.93717  ap 0.92173  fpr 0.09603  fnr 0.03025" in table
    assert "generator" not in table
    assert "warning" not in table


def test_threshold_and_pooling_are_said(published):
    table = _table(published, threshold=0.265, pooling=Pooling("topk", 3))
    assert "mean of a video's 3 highest windows; fake from 0.265 on (chosen for this run)" in table
    assert _cells(table, "ACC at 0.265")[0] == "0.95743"
    assert "its fpr is the FNR and its fnr the FPR)" in table


def test_generators_have_their_own_lines(published):
    names = np.array(["Wav2Lip", "", "bad\x1b[31m"], object)[np.arange(len(published)) % 3]
    table = _table(dataclasses.replace(published, generator=names))
    assert _cells(table, "Wav2Lip")
    assert _cells(table, "(unknown)")
    assert r"bad\x1b[31m" in table
    assert "\x1b" not in table


def test_few_sources_and_their_own_lines(published):
    table = _table(published.select(np.isin(published.source, ["294", "295", "297"])))
    assert "warning: intervals are too narrow: fewer than 20 sources" in table
    assert "Per source" in table
    assert _cells(table, "294")


def test_one_class_says_what_is_missing(published):
    table = _table(published.select(published.label == 1))
    assert "windows: all 1687 are fake" in table
    assert _cells(table, "AUC") == ["-", "-"]
    assert _cells(table, "FNR at 0.5") == ["0.09603", "0.05625"]


def test_nothing_scored():
    assert "nothing was scored" in _table(Scores.from_rows([]))


def test_align():
    assert align_columns([["", "b"], ["long", "1.5"]]) == "        b\nlong  1.5"
