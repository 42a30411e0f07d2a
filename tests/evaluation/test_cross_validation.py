"""Pooled folds: all windows once, suites cell by cell, and each part's own AUC beside the pooled one."""

import json
import re

import jsonschema
import pytest

from lipfd_jax.evaluation.cross_validation import describe_pooled_scores, pool_suites, read_pooled_scores
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.metrics.scores import ScoreRow, ScoresError, ScoresWriter, read_scores
from lipfd_jax.evaluation.output_folder import ScoresIdentity, claim_folder, finish_folder
from lipfd_jax.evaluation.report.metrics_files import METRICS_CSV, METRICS_JSON
from lipfd_jax.evaluation.report.write import write_results
from lipfd_jax.evaluation.suites.controls import CONTROLS
from lipfd_jax.evaluation.suites.folder import SuiteFolder
from lipfd_jax.evaluation.suites.results import SuiteIdentity, read_result
from tests.evaluation.report.test_metrics_files import SCHEMA


def _rows(fold: int, lift: float) -> list[ScoreRow]:
    """Four videos of sources of their own, told apart perfectly; `lift` raises all their scores."""
    scores = {f"0_real/r{fold}{i}": 0.1 + lift + i / 100 for i in range(2)}
    scores |= {f"1_fake/f{fold}{i}": 0.3 + lift + i / 100 for i in range(2)}
    return [
        ScoreRow(path=f"{video}_0.png", label=int(video[0]), score=score, video=video, source=video[7:])
        for video, score in scores.items()
    ]


def _write(file, rows):
    with ScoresWriter(file) as writer:
        writer.append(rows)


@pytest.fixture
def folds(tmp_path):
    """Two finished evaluations with controls; the second model gives higher scores throughout."""
    places = []
    for fold, lift in enumerate((0.0, 0.4)):
        place, rows = tmp_path / f"fold{fold}", _rows(fold, lift)
        claim_folder(place, ScoresIdentity(f"weights{fold}", f"records{fold}", "s", "c", "d"))
        _write(place / "scores.csv", rows)
        finish_folder(place)
        (place / METRICS_JSON).write_text("{}")
        identity = SuiteIdentity(f"weights{fold}", f"records{fold}", "clips", "p")
        names = ["clean", *(control.perturbation.name for control in CONTROLS[: 3 - fold])]
        videos = [row.video for row in rows]
        suite = SuiteFolder(place / "controls", videos, names, identity, properties=True)
        for row in rows:
            for name in names:
                suite.add_scores(row.video, name, [vars(row)])
            known = {"label": row.label, "source": row.source, "sharpness": row.score, "file": None}
            suite.add_properties({"video": row.video, **known})
        suite.finish()
        places.append(place)
    return places


def test_windows_of_all_parts_and_the_figures_of_each(folds):
    scores = read_pooled_scores(folds)
    assert len(scores) == 8
    assert scores.score.tolist() == [
        score for place in folds for score in read_scores(place / "scores.csv").score
    ]
    notes = describe_pooled_scores(folds)
    assert notes["AUC of videos within each"] == "1.000, 1.000; mean 1.000"
    assert "of 2 checkpoints: weights0, weights1" in notes["weights"]


def test_suites_are_pooled_cell_by_cell(folds, tmp_path):
    output = tmp_path / "pooled"
    (result,) = pool_suites(folds, output, weights="both", bootstrap=BootstrapSettings(50))
    assert read_result(output, "controls") == result
    names = [control.perturbation.kind for control in CONTROLS]
    assert [cell.kind for cell in result.cells] == ["clean", *names[:2]]
    assert {cell.videos for cell in result.cells} == {8}
    # Of 16 pairs of a real and a fake video, the first part's fakes with the second's real ones are wrong.
    assert result.clean.auc == 12 / 16
    assert len(result.missing) == len(CONTROLS) - 2
    assert result.records == "records0, records1"
    assert [row.name for row in result.model_free] == ["file properties", "mouth sharpness"]
    write_results(
        read_pooled_scores(folds), output, notes={"weights": "both"}, bootstrap=BootstrapSettings(5)
    )
    jsonschema.validate(json.loads((output / METRICS_JSON).read_text()), SCHEMA)
    assert "controls,clean,videos,auc,0.75," in (output / METRICS_CSV).read_text()
    head = (output / "report.html").read_text().partition("<section>")[0]
    assert re.search(r"sound and lips disagree\? .*Warning: intervals are too narrow: fewer than 20", head)
    note = folds[1] / "controls" / "suite.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"on": "records"}))
    with pytest.raises(ValueError, match="can't be pooled"):
        pool_suites(folds, output, weights="both")


def test_a_video_is_tested_once(folds, tmp_path):
    with pytest.raises(ScoresError, match=r"0_real/r00 is in .*fold0 and in .*a video is to be tested once"):
        read_pooled_scores([*folds, folds[0]])
    (folds[0] / METRICS_JSON).unlink()
    with pytest.raises(ValueError, match="no finished evaluation"):
        read_pooled_scores(folds)
