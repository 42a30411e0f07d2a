"""Matched rank: known values, ties, sources of one class, its interval, and what AUC does not see."""

import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings, compute_intervals
from lipfd_jax.evaluation.metrics.compute import compute_metrics
from lipfd_jax.evaluation.metrics.matched_rank import MatchedRank, compute_matched_rank
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores
from lipfd_jax.evaluation.metrics.source_metrics import NO_MATCHED_SOURCE
from lipfd_jax.evaluation.report.write import write_results

BOOTSTRAP = BootstrapSettings(draws=200)


def _compute(*rows: tuple[str, int, float], bootstrap: BootstrapSettings = BOOTSTRAP) -> MatchedRank:
    """Of rows (source, label, score)."""
    sources, labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    return compute_matched_rank(labels, scores, sources, bootstrap)


def _draw(seed: int, digits: int, count: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels, sources = random.integers(0, 2, count), random.integers(0, 40, count)
    scores = np.round(random.normal(labels, 1.0), digits)
    return labels, scores, np.array([f"person {source}" for source in sources], object)


def test_every_source_counts_once():
    found = _compute(
        *[("a", 0, 0.2), ("a", 1, 0.9)],  # 1 of 1 pair
        *[("b", 0, 0.3), ("b", 0, 0.5), ("b", 1, 0.4), ("b", 1, 0.2)],  # 1 of 4 pairs
    )
    assert (found.value, found.groups) == ((1 + 0.25) / 2, 2)
    assert (found.low, found.high) == found.interval == (0.25, 1.0)  # each drawn twice now and then


def test_ties_count_half():
    assert _compute(("a", 0, 0.5), ("a", 1, 0.5)).value == 0.5
    assert _compute(("a", 0, 0.5), ("a", 0, 0.4), ("a", 1, 0.5)).value == 0.75


def test_sources_of_one_class_do_not_count():
    found = _compute(("a", 0, 0.2), ("a", 1, 0.9), ("only real", 0, 1.0), ("only fake", 1, 0.0))
    assert (found.value, found.groups, found.missing) == (1.0, 1, "")


@pytest.mark.parametrize(
    "rows", [[("a", 0, 0.2), ("b", 1, 0.9)], [("a", 1, 0.2), ("a", 1, 0.9)], [("a", 0, 0.2)]]
)
def test_without_a_source_of_both_classes_there_is_a_reason(rows):
    assert _compute(*rows) == MatchedRank(None, 0, None, None, NO_MATCHED_SOURCE)


def test_nothing_has_no_value():
    empty = np.zeros(0)
    assert compute_matched_rank(empty, empty, empty).missing == NO_MATCHED_SOURCE


@pytest.mark.parametrize("digits", [1, 6])
def test_within_a_source_it_is_the_auc(digits):
    labels, scores, sources = _draw(0, digits)
    expected = [
        roc_auc_score(labels[sources == source], scores[sources == source])
        for source in np.unique(sources)
        if len(set(labels[sources == source])) == 2
    ]
    found = compute_matched_rank(labels, scores, sources, BOOTSTRAP)
    assert found.groups == len(expected) > 30
    assert found.value == pytest.approx(np.mean(expected), abs=1e-12)
    assert found.low < found.value < found.high


def test_the_order_of_rows_and_the_scale_of_scores_do_not_matter():
    labels, scores, sources = _draw(1, 1)
    order = np.random.default_rng(0).permutation(len(labels))
    whole = compute_matched_rank(labels, scores, sources, BOOTSTRAP)
    assert compute_matched_rank(labels[order], 3 * scores[order] - 7, sources[order], BOOTSTRAP) == whole


def test_the_seed_decides_the_interval():
    columns = _draw(2, 6)
    first, again, other = (compute_matched_rank(*columns, BootstrapSettings(200, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first.value == other.value
    assert first.interval != other.interval


def test_scores_that_know_only_who_is_seen_fail():
    """Fakes of people whose clips all score high: the AUC is high, but no clip is told from its twin."""
    rows = [(f"real {number}", 0, 0.1) for number in range(30)]
    rows += [(f"fake {number}", label, 0.9) for number in range(30) for label in (1, 1, 1, 0)]
    sources, labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    assert roc_auc_score(labels, scores) == 0.75
    assert compute_matched_rank(labels, scores, sources, BOOTSTRAP).value == 0.5
    reversed_within = scores - 0.05 * labels
    assert roc_auc_score(labels, reversed_within) == 0.5
    assert compute_matched_rank(labels, reversed_within, sources, BOOTSTRAP).value == 0


@pytest.mark.parametrize("granularity", ["windows", "videos"])
def test_the_table_has_the_same_value_and_interval(granularity):
    labels, scores, sources = _draw(3, 1)
    scores = 1 / (1 + np.exp(-scores))
    expected = compute_matched_rank(labels, scores, sources, BOOTSTRAP)
    found = compute_metrics(labels, scores, sources=sources, granularity=granularity)
    assert (found.matched_rank, found.matched_sources) == (pytest.approx(expected.value), expected.groups)
    ends = compute_intervals(labels, scores, sources, 0.5, BOOTSTRAP, granularity=granularity)
    assert ends["matched_rank"] == pytest.approx(expected.interval)


def test_the_table_says_why_there_is_none():
    labels, scores, sources = np.array([0, 1, 1]), np.array([0.1, 0.4, 0.3]), np.array(["a", "b", "b"])
    found = compute_metrics(labels, scores, sources=sources)
    assert (found.matched_rank, found.matched_sources, found.auc) == (None, 0, 1.0)
    assert found.missing == NO_MATCHED_SOURCE
    unknown = compute_metrics(labels, scores)
    assert (unknown.matched_rank, unknown.matched_sources, unknown.missing) == (None, None, "")
    assert compute_intervals(labels, scores, sources, 0.5, BOOTSTRAP)["matched_rank"] is None


def test_it_is_printed_before_the_auc(capsys):
    random, rows = np.random.default_rng(0), []
    for number in range(40):
        video = f"{('0_real', '1_fake')[number % 2]}/v{number}"
        score = float(random.uniform(0.2, 0.6) + 0.3 * (number % 2))
        known = {"label": number % 2, "video": video, "source": f"s{number // 4}", "window": 0}
        rows.append(ScoreRow(path=f"{video}_0.png", score=score, **known))
    summary = write_results(Scores.from_rows(rows), None, notes={}, bootstrap=BOOTSTRAP)
    value, (low, high) = summary.videos.metrics.matched_rank, summary.videos.intervals["matched_rank"]
    text = capsys.readouterr().out
    assert re.search(
        rf"\nmatched rank .*{value:.5f} +\[{low:.5f}, {high:.5f}\]\n.*sources.* 10 .*\nAUC", text
    )


def test_columns_must_fit():
    with pytest.raises(ValueError, match="sources"):
        compute_matched_rank(np.array([0, 1]), np.array([0.1, 0.2]), np.array(["a"]))
    with pytest.raises(ValueError, match="finite"):
        compute_matched_rank(np.array([0, 1]), np.array([0.1, np.nan]), np.array(["a", "a"]))
    with pytest.raises(ValueError, match="labels must be"):
        compute_matched_rank(np.array([0, 2]), np.array([0.1, 0.2]), np.array(["a", "a"]))
