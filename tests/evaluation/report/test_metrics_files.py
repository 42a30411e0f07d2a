"""metrics.json, metrics.csv and videos.csv: complete, strict, and as the schema in docs/ says."""

import csv
import dataclasses
import io
import json
import pathlib

import jsonschema
import numpy as np
import pytest

from lipfd_jax.evaluation.calibration import CalibrationSettings, fit_calibration
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.compute import compute_released_metrics
from lipfd_jax.evaluation.metrics.pooling import make_decision
from lipfd_jax.evaluation.metrics.scores import Scores, read_scores
from lipfd_jax.evaluation.metrics.summary import summarise_scores
from lipfd_jax.evaluation.report.comparison import compare_scores, record_comparison
from lipfd_jax.evaluation.report.metrics_files import (
    format_metrics_csv,
    format_videos_csv,
)
from lipfd_jax.evaluation.report.metrics_json import VERSION, build_metrics_file

SCHEMA = json.loads((pathlib.Path(__file__).parents[3] / "docs" / "metrics.schema.json").read_text())
DRAWING = BootstrapSettings(5)


@pytest.fixture(scope="module")
def published(golden) -> Scores:
    return read_scores(golden / "official_val_scores.csv")


def _content(scores: Scores, notes=None, comparison=None, **options) -> dict:
    summary = summarise_scores(scores, make_decision(**options), DRAWING)
    content = build_metrics_file(summary, compute_released_metrics(scores), notes or {}, {}, comparison)
    return json.loads(json.dumps(content.to_json(), allow_nan=False))


def _parts(scores: Scores) -> Scores:
    names = np.where(scores.label == 1, "Wav2Lip", "").astype(object)
    source = np.where(scores.source == "294", "4000", scores.source).astype(object)
    return dataclasses.replace(scores, generator=names, source=source)


def test_published_figures(published):
    content = _content(_parts(published), {"windows": "released"})
    jsonschema.validate(content, SCHEMA)
    assert content["version"] == VERSION == SCHEMA["properties"]["version"]["const"]
    assert content["notes"] == {"windows": "released"}
    assert content["decision"]["threshold_choice"] == "default"
    assert content["bootstrap"] == {"unit": "source", "draws": 5, "seed": 0, "level": 0.95}
    assert content["windows"]["tp"] == 1525
    assert content["videos"]["n"] == 838
    assert content["videos"]["real_sources"] == 358
    assert content["parts"]["generator"]["Wav2Lip"]["videos"] == content["videos"]
    assert content["parts"]["id_range"]["from 3029"]["windows"]["n"] > 0
    assert content["as_released"]["ap"] == pytest.approx(0.92173, abs=5e-6)


@pytest.mark.parametrize("keep", ["one class", "nothing", "few sources"])
def test_odd_cases_are_strict_json_of_the_schema(published, keep):
    chosen = {
        "one class": published.label == 1,
        "nothing": published.label == 2,
        "few sources": np.isin(published.source, ["0", "294"]),
    }[keep]
    content = _content(published.select(chosen))
    jsonschema.validate(content, SCHEMA)
    assert (content["windows"]["auc"] is None) == (keep != "few sources")
    assert bool(content["videos"]["warning"]) == (keep == "few sources")


def test_comparisons_and_calibrations_are_of_the_schema(published):
    some = published.select(np.arange(400))
    scores = published.select(np.concatenate([np.arange(200), np.arange(2000, 2200)]))
    fitted = fit_calibration(scores, CalibrationSettings(), weights="w", data="d", data_fingerprint="f")
    compared = compare_scores(scores, some, 0.5, bootstrap=DRAWING)
    content = _content(scores, comparison=record_comparison(compared), calibration=fitted)
    jsonschema.validate(content, SCHEMA)
    assert content["decision"]["calibration"]["slope"] == fitted.slope


def test_the_schema_refuses_other_keys(published):
    content = _content(published.select(np.arange(50)))
    content["windows"]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(content, SCHEMA)


def test_csv_of_figures(published):
    rows = list(
        csv.DictReader(
            io.StringIO(format_metrics_csv(summarise_scores(_parts(published), bootstrap=DRAWING)))
        )
    )
    assert {row["part"] for row in rows} == {"all", "generator", "id_range"}
    auc = next(row for row in rows if (row["level"], row["figure"]) == ("windows", "auc"))
    assert float(auc["value"]) == pytest.approx(0.98716, abs=5e-6)
    assert float(auc["low"]) < float(auc["value"]) < float(auc["high"])
    assert next(row for row in rows if row["figure"] == "tp")["low"] == ""


def test_csv_of_videos(published):
    fitted = fit_calibration(published, CalibrationSettings(), weights="w", data="d", data_fingerprint="f")
    rows = list(csv.DictReader(io.StringIO(format_videos_csv(published, make_decision(fitted)))))
    assert len(rows) == 838
    for row in rows[::100]:
        assert row["called"] == ("fake" if float(row["score"]) >= fitted.threshold else "real")
        assert abs(float(row["log10_lr"])) <= np.log10(358)
    plain = list(csv.DictReader(io.StringIO(format_videos_csv(published, make_decision()))))
    assert {row["log10_lr"] for row in plain} == {""}
    assert all(row["score"] == row["pooled"] for row in plain)
