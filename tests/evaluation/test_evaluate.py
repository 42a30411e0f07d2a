"""Evaluation of a checkpoint: everything written, interruptions continued, the wrong things refused."""

import csv
import dataclasses
import functools
import json
import shutil

import jax
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints.metadata import CheckpointError, Metadata
from lipfd_jax.checkpoints.store import open_model, save_model
from lipfd_jax.data.sources import CompositeFolder
from lipfd_jax.evaluation import evaluate as evaluation_run
from lipfd_jax.evaluation.calibration import CalibrationSettings, calibrate_checkpoint
from lipfd_jax.evaluation.evaluate import open_detector
from lipfd_jax.evaluation.grid import NamedPath, evaluate_grid, write_grid
from lipfd_jax.evaluation.metrics import skipped as skipped_records
from lipfd_jax.evaluation.metrics.bootstrap import BootstrapSettings
from lipfd_jax.evaluation.predict import RecordSubset, predict_records
from lipfd_jax.models.inputs import PAPER, RELEASED
from lipfd_jax.storage.locks import InUseError, lock_folder
from lipfd_jax.vocabulary import CLASSES
from tests.drawn import drawn
from tests.tiny_networks import MEAN, TINY

# One size of batches for nearly all: each other one is compiled anew.
Options = functools.partial(evaluation_run.Options, bootstrap=BootstrapSettings(10), examples=0, batch_size=4)
SMALL = {"picture_size": 80, "crop_size": 32}


def _save(path, inputs=RELEASED, seed=0, convention="released", network=MEAN):
    config = dataclasses.replace(network, inputs=dataclasses.replace(inputs, **SMALL))
    model = drawn(config, seed)
    save_model(
        path,
        nnx.to_pure_dict(nnx.state(model)),
        Metadata(model=config, window_convention=convention, origin="a test"),
    )
    return path


def evaluate(checkpoint, source, output, options=None):
    options = options or Options()
    detector = open_detector(str(checkpoint), options=options)
    return evaluation_run.evaluate(detector, source, output, options=options).scores


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return str(_save(tmp_path_factory.mktemp("checkpoint") / "model"))


@pytest.fixture(scope="module")
def tiny_checkpoint(tmp_path_factory):
    """One with the layers of the real network, which take longer to compile."""
    return str(_save(tmp_path_factory.mktemp("tiny") / "model", network=TINY))


BOTH = pytest.mark.parametrize(
    "name", ["checkpoint", pytest.param("tiny_checkpoint", marks=pytest.mark.slow)]
)


def _rows(folder):
    with (folder / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def test_everything_is_written(tiny_checkpoint, composites, tmp_path, capsys):
    scores = evaluate(
        tiny_checkpoint, CompositeFolder(composites), tmp_path, options=Options(batch_size=5, examples=1)
    )
    rows = _rows(tmp_path)
    assert len(rows) == len(scores) == 12
    assert list(rows[0]) == [
        "path",
        "label",
        "score",
        "video",
        "source",
        "generator",
        "window",
        "start_frame",
    ]
    assert rows[0]["path"] == "0_real/0_0.png"
    assert [int(row["label"]) for row in rows] == [0] * 6 + [1] * 6
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["windows"]["n"] == 12
    assert figures["notes"]["inputs"].startswith("released")
    assert "data:image/jpeg" in (tmp_path / "report.html").read_text()
    printed = capsys.readouterr().out
    assert "inputs:        released" in printed
    assert "the model takes" not in printed


def test_an_interrupted_evaluation_goes_on(checkpoint, composites, tmp_path, monkeypatch):
    evaluate(checkpoint, CompositeFolder(composites), tmp_path / "whole", options=Options())

    def broken(*args, **kwargs):
        for number, prediction in enumerate(predict_records(*args, **kwargs)):
            if number == 3:  # of the first batch there are two
                raise KeyboardInterrupt
            yield prediction

    monkeypatch.setattr(evaluation_run, "predict_records", broken)
    with pytest.raises(KeyboardInterrupt):
        evaluate(checkpoint, CompositeFolder(composites), tmp_path / "parts", options=Options())
    assert len(_rows(tmp_path / "parts")) == 8
    monkeypatch.undo()
    evaluate(checkpoint, CompositeFolder(composites), tmp_path / "parts", options=Options())
    assert (tmp_path / "parts" / "scores.csv").read_text() == (tmp_path / "whole" / "scores.csv").read_text()


def test_scores_of_another_checkpoint_are_not_mixed_in(checkpoint, composites, tmp_path):
    evaluate(checkpoint, CompositeFolder(composites), tmp_path / "out")
    other = _save(tmp_path / "other", seed=1)
    with pytest.raises(ValueError, match="holds scores of") as refused:
        evaluate(str(other), CompositeFolder(composites), tmp_path / "out")
    for side in (checkpoint, str(other), composites.name):
        assert side in str(refused.value)
    evaluate(str(other), CompositeFolder(composites), tmp_path / "out", options=Options(overwrite=True))
    fresh = evaluate(str(other), CompositeFolder(composites), tmp_path / "fresh")
    assert (tmp_path / "out" / "scores.csv").read_text() == (tmp_path / "fresh" / "scores.csv").read_text()
    assert len(fresh) == 12
    assert not list((tmp_path / "out").glob("*.old"))


@BOTH
def test_scores_of_another_precision_are_near_and_not_mixed_in(request, name, composites, tmp_path):
    checkpoint = request.getfixturevalue(name)
    source, half = CompositeFolder(composites), Options(precision="bfloat16")
    exact = evaluate(checkpoint, source, tmp_path / "out")
    with pytest.raises(ValueError, match="holds"):
        evaluate(checkpoint, source, tmp_path / "out", half)
    found = evaluate(checkpoint, source, tmp_path / "half", half)
    assert "bfloat16" in (tmp_path / "half" / "report.html").read_text()
    np.testing.assert_allclose(found.score, exact.score, atol=0.02)


def test_scores_of_other_records_are_not_mixed_in(checkpoint, composites, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(composites, data)
    evaluate(checkpoint, CompositeFolder(data), tmp_path / "out")
    shutil.copy(data / "0_real" / "1_0.png", data / "0_real" / "0_0.png")  # the same names, other pictures
    with pytest.raises(ValueError, match="holds scores of"):
        evaluate(checkpoint, CompositeFolder(data), tmp_path / "out")


def test_finished_scores_that_changed_are_noticed(checkpoint, composites, tmp_path):
    evaluate(checkpoint, CompositeFolder(composites), tmp_path)
    file = tmp_path / "scores.csv"
    file.write_text(file.read_text().replace(",0.", ",0.1", 1))
    with pytest.raises(ValueError, match="changed or damaged"):
        evaluate(checkpoint, CompositeFolder(composites), tmp_path)


def test_one_output_is_written_by_one_evaluation(checkpoint, composites, tmp_path):
    with (
        lock_folder(tmp_path, "an evaluation"),
        pytest.raises(InUseError, match="an evaluation is under way"),
    ):
        evaluate(checkpoint, CompositeFolder(composites), tmp_path)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"threads": -1}])
def test_impossible_options_are_named(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}=.*at least 1"):
        Options(**wrong)


@pytest.fixture
def damaged(composites, tmp_path):
    """Composites of which the second real one and the only window of the last fake are cut in the middle."""
    shutil.copytree(composites, tmp_path / "damaged")
    for name in ("0_real/1_0.png", "1_fake/5_0.png"):
        file = tmp_path / "damaged" / name
        file.write_bytes(file.read_bytes()[:500])
    return CompositeFolder(tmp_path / "damaged")


def test_a_corrupt_record_stops_and_is_named(checkpoint, damaged, tmp_path):
    with pytest.raises(ValueError, match="0_real/1, window 0"):
        evaluate(checkpoint, damaged, tmp_path / "out")
    assert not (tmp_path / "out" / "report.html").exists()


def test_corrupt_records_are_skipped_and_counted(checkpoint, damaged, tmp_path, monkeypatch):
    monkeypatch.setattr(skipped_records, "MAX_SKIPPED_SHARE", 0.2)
    options = Options(skip_corrupt=True)
    scores = evaluate(checkpoint, damaged, tmp_path / "out", options=options)
    assert len(scores) == 10
    rows = skipped_records.read_skipped(tmp_path / "out" / "skipped.csv")
    assert [(row.index, row.path) for row in rows] == [(1, "0_real/1_0.png"), (11, "1_fake/5_0.png")]
    note = json.loads((tmp_path / "out" / "metrics.json").read_text())["notes"]["skipped"]
    assert note == (
        "2 records could not be read, see skipped.csv; videos without any window: 0_real/1, 1_fake/5"
    )
    assert "2 records could not be read" in (tmp_path / "out" / "report.html").read_text()
    before = (tmp_path / "out" / "scores.csv").read_text()
    lines = before.splitlines(keepends=True)
    note = json.loads((tmp_path / "out" / "evaluated.json").read_text())
    for kept in (1, 2, 5):  # stopped anywhere, it resumes to the same end
        folder = shutil.copytree(tmp_path / "out", tmp_path / f"out{kept}")
        del note["scores"]
        (folder / "evaluated.json").write_text(json.dumps(note))
        (folder / "scores.csv").write_text("".join(lines[:kept]))
        evaluate(checkpoint, damaged, folder, options=options)
        assert (folder / "scores.csv").read_text() == before
        assert skipped_records.read_skipped(folder / "skipped.csv") == rows
        note = json.loads((folder / "evaluated.json").read_text())


def test_many_corrupt_records_stop_anyway(checkpoint, damaged, tmp_path):
    with pytest.raises(ValueError, match="2 corrupt records, more than the 1 to be skipped"):
        evaluate(checkpoint, damaged, tmp_path / "out", options=Options(skip_corrupt=True))


def test_a_checkpoint_written_again_is_another_one(composites, tmp_path):
    first = _save(tmp_path / "model")
    evaluate(str(first), CompositeFolder(composites), tmp_path / "out")
    evaluate(str(first), CompositeFolder(composites), tmp_path / "out")  # resumes
    shutil.rmtree(first)
    _save(first, seed=1)
    with pytest.raises(ValueError, match="holds scores of"):
        evaluate(str(first), CompositeFolder(composites), tmp_path / "out")


def test_inputs_and_windows_that_do_not_go_together_are_warned_of(composites, tmp_path, capsys):
    checkpoint = _save(tmp_path / "paper", inputs=PAPER, convention="paper")
    evaluate(str(checkpoint), CompositeFolder(composites), tmp_path / "out")
    assert "the model takes paper inputs, but the records hold released windows" in capsys.readouterr().out


def test_comparison_with_published_scores(checkpoint, composites, tmp_path, capsys):
    evaluate(checkpoint, CompositeFolder(composites), tmp_path / "ours")
    theirs = tmp_path / "theirs.csv"
    lines = (tmp_path / "ours" / "scores.csv").read_text().splitlines()
    theirs.write_text(
        "\n".join(["path,label,score", *(",".join(r.split(",")[:3]) for r in lines[1:6])]) + "\n"
    )
    evaluate(
        checkpoint,
        CompositeFolder(composites),
        tmp_path / "again",
        options=Options(compare_scores=str(theirs)),
    )
    figures = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert figures["comparison"]["shared"] == 5
    assert figures["comparison"]["largest"] == 0.0
    assert "5 shared windows" in (tmp_path / "again" / "report.html").read_text()


def test_the_threshold_reaches_every_figure(checkpoint, composites, tmp_path, capsys):
    scores = evaluate(checkpoint, CompositeFolder(composites), tmp_path, options=Options(threshold=0.0))
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["windows"]["threshold"] == figures["videos"]["threshold"] == 0.0
    assert figures["windows"]["fpr"] == 1.0
    assert "FPR at 0 " in capsys.readouterr().out
    assert (scores.score < 1).all()


def test_a_mistyped_comparison_is_found_before_scoring(checkpoint, composites, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        evaluate(
            checkpoint,
            CompositeFolder(composites),
            tmp_path / "out",
            options=Options(compare_scores=str(tmp_path / "none.csv")),
        )
    assert not (tmp_path / "out").exists()


@BOTH
def test_batches_do_not_change_scores(request, name, composites):
    checkpoint = request.getfixturevalue(name)
    source = RecordSubset(CompositeFolder(composites), range(5))
    found = []
    for size in (1, 4, 5):
        detector = open_detector(checkpoint, options=Options(batch_size=size))
        scored = predict_records(detector.submit, source, batch_size=size)
        rows = [row for batch in scored for row in batch.rows]
        assert [row.path for row in rows] == [f"0_real/{i}_0.png" for i in range(5)]
        found.append([row.score for row in rows])
    np.testing.assert_allclose(found[1:], [found[0]] * 2, atol=1e-5)


def test_weights_survive_saving(tiny_checkpoint):
    model = drawn(open_model(tiny_checkpoint).metadata.model)
    for a, b in zip(
        jax.tree.leaves(nnx.state(model)),
        jax.tree.leaves(nnx.state(open_model(tiny_checkpoint).model)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_what_is_no_checkpoint_is_refused(tmp_path, composites):
    with pytest.raises(CheckpointError, match="no such folder"):
        open_model(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"no finished checkpoint inside$"):
        open_model(composites)
    (tmp_path / "ckpt.pth").write_bytes(b"weights")
    with pytest.raises(CheckpointError, match=r"ckpt\.pth: is a file; expected the folder"):
        open_model(tmp_path / "ckpt.pth")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=rf"did you mean {tmp_path / 'run'}\?"):
        open_model(tmp_path)


def test_foreign_orbax_checkpoints_are_refused(tmp_path):
    from orbax.checkpoint import v1 as ocp

    ocp.save_checkpointables(tmp_path / "foreign", {"model": {"a": np.ones(3)}})
    with pytest.raises(CheckpointError, match="not one of lipfd_jax"):
        open_model(tmp_path / "foreign")


def test_a_calibration_is_fitted_stored_applied_and_not_tested_on_itself(composites, tmp_path, capsys):
    checkpoint = _save(tmp_path / "model")
    # Whatever the untrained model says: what it calls more fake is to be fake.
    scores = evaluate(checkpoint, CompositeFolder(composites), tmp_path / "first")
    for place, index in enumerate(np.argsort(scores.score)):
        name = f"validation/{CLASSES[place >= 6]}/{place}_0.png"
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(composites / scores.path[index], tmp_path / name)
    validation = tmp_path / "validation"
    source = CompositeFolder(validation)
    found = calibrate_checkpoint(
        str(checkpoint), source, tmp_path / "fit", settings=CalibrationSettings(), options=Options()
    )
    assert "stored in" in capsys.readouterr().out
    assert open_model(checkpoint).calibration == found
    assert "composites in validation" in found.data  # pages show it: the name, and no path of this machine
    assert str(tmp_path) not in found.data
    with pytest.raises(ValueError, match="fitted on these very records"):
        evaluate(checkpoint, CompositeFolder(validation), tmp_path / "self")
    evaluate(checkpoint, CompositeFolder(composites), tmp_path / "test")
    figures = json.loads((tmp_path / "test" / "metrics.json").read_text())
    assert figures["decision"]["calibration"]["data_fingerprint"] == found.data_fingerprint
    assert figures["videos"]["threshold"] == found.threshold
    with (tmp_path / "test" / "videos.csv").open() as file:
        videos = list(csv.DictReader(file))
    for video in videos:
        assert float(video["score"]) == pytest.approx(float(found.probability(float(video["pooled"]))))
        assert abs(float(video["log10_lr"])) <= np.log10(min(found.sources_real, found.sources_fake))
    evaluate(checkpoint, CompositeFolder(validation), tmp_path / "plain", Options(calibrated=False))


def test_each_checkpoint_on_each_data_set(checkpoint, composites, tmp_path):
    others = _save(tmp_path / "other", seed=1)
    found = evaluate_grid(
        [NamedPath("one", checkpoint), NamedPath("other", str(others))],
        [NamedPath("drawn", str(composites))],
        tmp_path / "out",
        open_data=CompositeFolder,
        options=Options(),
    )
    write_grid(found, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "one",
        "other",
        "table.csv",
        "table.html",
        "table.md",
    ]
    assert (tmp_path / "out" / "other" / "drawn" / "report.html").exists()
    assert "drawn: 6 real and 6 fake videos" in (tmp_path / "out" / "table.md").read_text()
