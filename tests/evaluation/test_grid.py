"""Several checkpoints and data sets: names, what is marked as best, and the table in its three forms."""

import csv
import io

import numpy as np
import pytest

from lipfd_jax.evaluation.evaluate import Evaluation, Options
from lipfd_jax.evaluation.grid import (
    NamedPath,
    build_grid,
    evaluate_grid,
    format_grid_csv,
    format_grid_markdown,
    render_grid_page,
)
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores
from lipfd_jax.evaluation.metrics.summary import summarise_scores
from lipfd_jax.evaluation.metrics.table import list_metrics

DRAWING = BootstrapSettings(100)


def _evaluation(separation: float, sources: int = 60) -> Evaluation:
    random = np.random.default_rng(0)  # the same noise for all: only the separation differs
    rows = []
    for i in range(sources):
        label = i % 2
        score = float(np.clip(0.45 + separation * label + random.normal(0, 0.15), 0, 1))
        video = f"{('0_real', '1_fake')[label]}/{i}"
        rows.append(ScoreRow(path=f"{video}_0.png", label=label, score=score, video=video, source=str(i)))
    scores = Scores.from_rows(rows)
    return Evaluation(scores, summarise_scores(scores, bootstrap=DRAWING))


@pytest.fixture(scope="module")
def found():
    cells = {
        ("good", "A"): _evaluation(0.3),
        ("good", "B|x"): _evaluation(0.2),
        ("<b>weak", "A"): _evaluation(0.1),
        ("<b>weak", "B|x"): _evaluation(0.2),
    }
    return build_grid(cells, DRAWING)


def test_the_best_is_marked_only_where_it_certainly_is(found):
    assert found.best == {"A": "good"}
    assert build_grid({("only", "A"): _evaluation(0.3)}, DRAWING).best == {}


def test_markdown(found):
    lines = format_grid_markdown(found).splitlines()
    assert lines[0] == "| checkpoint | A | B\\|x |"
    assert lines[2].startswith("| good | **0.9")
    assert lines[2].count("**") == 2
    assert "**" not in lines[3]
    assert "A: 30 real and 30 fake videos." in lines


def test_csv(found):
    rows = list(csv.DictReader(io.StringIO(format_grid_csv(found))))
    names = [metric.name for metric in list_metrics("grid")]
    assert names[:3] == ["auc", "matched_rank", "ap"]
    assert {"eer", "balanced_acc", "fpr", "fnr", "tpr_at_fpr_1", "cllr", "min_cllr", "ece"} <= set(names)
    assert [row["figure"] for row in rows] == 4 * names
    auc = [row for row in rows if row["figure"] == "auc"]
    assert [row["best"] for row in auc] == ["1", "0", "0", "0"]
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in auc)


def test_page(found):
    text = render_grid_page(found)
    assert "<b>weak" not in text
    assert "&lt;b&gt;weak" in text
    assert 'href="good/B%7Cx/report.html"' in text
    assert text.count(", best</strong>") == 1
    assert "://" not in text


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("runs/lipfd/", "lipfd", "runs/lipfd/"),
        ("a=runs/x", "a", "runs/x"),
        ("runs/a=b/x", "x", "runs/a=b/x"),
        ("gs://bucket/run", "run", "gs://bucket/run"),
    ],
)
def test_names(text, name, path):
    assert NamedPath.parse(text) == NamedPath(name, path)


@pytest.mark.parametrize("text", ["", "=x", "..", "a=", ".hidden=x", "a\x1b=x"])
def test_unfit_names_are_refused(text):
    with pytest.raises(ValueError, match="NAME=PATH"):
        NamedPath.parse(text)


def test_wrong_requests_are_found_before_scoring(tmp_path):
    a, b = NamedPath("a", str(tmp_path / "a")), NamedPath("a", str(tmp_path / "b"))
    with pytest.raises(ValueError, match="two of one name"):
        evaluate_grid([a, b], [a], tmp_path, open_data=str)
    with pytest.raises(ValueError, match="no such folder"):
        evaluate_grid([a], [b], tmp_path, open_data=str)
    with pytest.raises(ValueError, match="one checkpoint on one data set"):
        evaluate_grid([a], [b], tmp_path, open_data=str, options=Options(compare_scores="scores.csv"))
