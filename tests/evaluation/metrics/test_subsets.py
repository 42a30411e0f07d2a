"""Parts of the scores: ranges of ids and sources (generators: test_metrics)."""

from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores
from lipfd_jax.evaluation.metrics.summary import split_by_id_range, split_by_source


def _scores(*names: str) -> Scores:
    rows = [
        ScoreRow(path=f"1_fake/{n}_{i}.png", label=1, score=0.5, video=f"1_fake/{n}", source=n, window=i)
        for i, n in enumerate(names)
    ]
    return Scores.from_rows(rows)


def test_ranges_of_ids():
    parts = split_by_id_range(_scores("3029", "0", "3028", "4205", "294"))
    assert {name: part.source.tolist() for name, part in parts.items()} == {
        "0-3028": ["0", "3028", "294"],
        "from 3029": ["3029", "4205"],
    }
    assert list(split_by_id_range(_scores("1", "5", "9"), limits=(3, 7))) == ["0-3", "4-7", "from 8"]


def test_no_ranges_where_ids_do_not_tell():
    assert split_by_id_range(_scores("1", "2")) == {}
    assert split_by_id_range(_scores("1", "alice", "4000")) == {}
    assert split_by_id_range(_scores("1", "²", "4000")) == {}
    assert split_by_id_range(Scores.from_rows([])) == {}


def test_sources():
    parts = split_by_source(_scores("b", "a", "b"))
    assert {name: part.window.tolist() for name, part in parts.items()} == {"a": [1], "b": [0, 2]}
    assert split_by_source(Scores.from_rows([])) == {}
