"""The table of metrics: one more entry and its function appear in every output, with an interval."""

import csv
import io
import json
import pathlib
import re

import jsonschema
import numpy as np
import pytest

from lipfd_jax.evaluation.evaluate import Evaluation
from lipfd_jax.evaluation.grid import build_grid, format_grid_csv
from lipfd_jax.evaluation.metrics import table
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings, compute_intervals
from lipfd_jax.evaluation.metrics.compute import compute_metrics, compute_released_metrics
from lipfd_jax.evaluation.metrics.metric import Metric
from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores
from lipfd_jax.evaluation.metrics.summary import summarise_scores
from lipfd_jax.evaluation.metrics.table import METRICS
from lipfd_jax.evaluation.report.comparison import compare_scores, format_comparison, record_comparison
from lipfd_jax.evaluation.report.metrics_files import format_metrics_csv
from lipfd_jax.evaluation.report.metrics_json import build_metrics_file, to_json
from lipfd_jax.evaluation.report.page import write_report
from lipfd_jax.evaluation.report.text_tables import format_summary
from lipfd_jax.tools.schemas import generate_schemas

DOCUMENT = pathlib.Path(__file__).parents[3] / "docs" / "evaluation.md"
BOOTSTRAP = BootstrapSettings(20)


def _correlate(counts):
    """Matthews correlation coefficient."""
    tn, fn = counts.real - counts.fp, counts.fakes - counts.tp
    called = (counts.tp + counts.fp) * (tn + fn)
    return (counts.tp * tn - counts.fp * fn) / np.sqrt(1.0 * called * counts.fakes * counts.real)


def _rank_within_sources(sample):
    """Share of sources with both classes whose highest score is a fake's."""
    won = []
    for source in np.unique(sample.sources):
        of_source = sample.sources == source
        fakes, real = (sample.scores[of_source & (sample.labels == label)] for label in (1, 0))
        if len(fakes) and len(real):
            won.append(fakes.max() > real.max())
    return np.mean(won) if won else np.nan


EXAMPLE = Metric(
    name="example_metric",
    label="example at {at}",
    title="Example, Matthews correlation",
    description="Correlation of verdict and truth at {at}.",
    direction="higher",
    compute=_correlate,
    minimum=-1,
    views={"text": 31, "page": 15, "grid": 110, "comparison": 90},
)
MATCHED = Metric(
    name="matched",
    label="matched rank",
    description="Share of sources ranked rightly.",
    direction="higher",
    compute=_rank_within_sources,
    both_classes=True,
    needs_sources=True,
    granularity=("videos",),
    views={"text": 55},
)


@pytest.fixture
def extended(monkeypatch):
    monkeypatch.setattr(table, "METRICS", (*METRICS, EXAMPLE, MATCHED))


@pytest.fixture
def scores() -> Scores:
    random, rows = np.random.default_rng(0), []
    for number in range(60):
        label, name = number % 2, f"v{number}"
        score = float(np.clip(random.normal(0.4 + 0.2 * label, 0.2), 0, 1))
        video = f"{('0_real', '1_fake')[label]}/{name}"
        rows.append(
            ScoreRow(
                path=f"{video}_0.png",
                label=label,
                score=score,
                video=video,
                source=f"s{number // 4}",
                window=0,
            )
        )
    return Scores.from_rows(rows)


def test_a_new_metric_is_in_every_output(extended, scores, tmp_path):
    summary, released = summarise_scores(scores, bootstrap=BOOTSTRAP), compute_released_metrics(scores)
    value, ends = summary.videos.metrics.example_metric, summary.videos.intervals["example_metric"]
    assert ends[0] < value < ends[1]
    text = format_summary(summary, released)
    assert re.search(rf"example at 0\.5 .*{value:.5f} +\[{ends[0]:.5f}, {ends[1]:.5f}\]", text)
    page = write_report(scores, tmp_path / "report.html", title="t", notes={}, summary=summary).read_text()
    assert "Example, Matthews correlation<small>Correlation of verdict and truth at 0.5.</small>" in page
    rows = list(csv.DictReader(io.StringIO(format_metrics_csv(summary))))
    assert any(row["figure"] == "example_metric" and float(row["value"]) == value for row in rows)
    grid = build_grid({("a", "d"): Evaluation(scores, summary)}, BOOTSTRAP)
    assert "a,d,example_metric," in format_grid_csv(grid)
    compared = compare_scores(scores, scores, bootstrap=BOOTSTRAP)
    assert "\nexample_metric  " in format_comparison(compared)
    content = build_metrics_file(summary, released, {}, {}, record_comparison(compared)).to_json()
    assert content["videos"]["example_metric"] == value
    assert content["videos"]["intervals"]["example_metric"] == list(ends)
    assert content["comparison"]["video_differences"]["example_metric"] == {"value": 0, "interval": [0, 0]}
    jsonschema.validate(json.loads(json.dumps(content)), generate_schemas()["metrics"])


def test_the_schema_of_the_table_alone_refuses_a_new_metric(scores):
    content = to_json(build_metrics_file(summarise_scores(scores, bootstrap=BOOTSTRAP), None, {}, {}))
    content["as_released"] = {"acc": None, "ap": None, "fpr": None, "fnr": None}
    schema = generate_schemas()["metrics"]
    jsonschema.validate(content, schema)
    content["videos"]["example_metric"] = 0.5
    with pytest.raises(jsonschema.ValidationError, match="example_metric"):
        jsonschema.validate(content, schema)


def test_intervals_are_alike_by_draws_and_by_copies(extended, monkeypatch, scores):
    """Of the same function, given as the fast form over all draws or not."""
    columns = (scores.label, scores.score, scores.source, 0.45, BOOTSTRAP)
    by_copies = compute_intervals(*columns)["example_metric"]
    fast = Metric(**{**EXAMPLE.__dict__, "resample": _correlate})
    monkeypatch.setattr(table, "METRICS", (*METRICS, fast))
    assert compute_intervals(*columns)["example_metric"] == pytest.approx(by_copies, abs=1e-12)


def test_a_metric_may_need_sources_and_be_of_videos_alone(extended, scores):
    labels, values, sources = scores.label, scores.score, scores.source
    assert compute_metrics(labels, values).matched is None
    assert compute_metrics(labels, values, sources=sources, granularity="windows").matched is None
    found = compute_metrics(labels, values, sources=sources, granularity="videos").matched
    summary = summarise_scores(scores, bootstrap=BOOTSTRAP)
    assert summary.videos.metrics.matched == found
    low, high = summary.videos.intervals["matched"]
    assert low <= found <= high
    assert summary.windows.intervals["matched"] is None


def test_unknown_names_are_refused(scores):
    with pytest.raises(AttributeError, match="nothing_such"):
        compute_metrics(scores.label, scores.score).nothing_such  # noqa: B018


def test_every_metric_is_documented():
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text[text.index("## Metrics") :]
    counts = {"tp", "tn", "fp", "fn"}
    missing = [metric.name for metric in METRICS if f"`{metric.name}`" not in section]
    assert set(missing) <= counts


def test_names_and_positions_are_unique():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for view in ("text", "page", "further", "grid", "comparison", "suites", "suite_differences"):
        positions = [metric.views[view] for metric in METRICS if view in metric.views]
        assert len(set(positions)) == len(positions) > 0, view
