"""The folder of an evaluation: what it is claimed for, what is refused, what overwriting leaves."""

import json

import pytest

from lipfd_jax.evaluation.output_folder import ScoresIdentity, claim_folder, finish_folder

ONE = ScoresIdentity("w1", "r1", "paper inputs", "runs/a", "data A")
MOVED = ScoresIdentity("w1", "r1", "paper inputs", "elsewhere/a", "data A, copied")


def _finished(folder):
    claim_folder(folder, ONE)
    (folder / "scores.csv").write_text("scores of one\n")
    finish_folder(folder)
    return folder


def test_the_same_scores_go_on_wherever_things_lie(tmp_path):
    _finished(tmp_path)
    assert claim_folder(tmp_path, MOVED) == tmp_path
    assert json.loads((tmp_path / "evaluated.json").read_text())["checkpoint"] == "runs/a"


@pytest.mark.parametrize("field", ["weights", "records", "settings"])
def test_others_are_refused_with_both_named(tmp_path, field):
    _finished(tmp_path)
    values = {**MOVED.__dict__, field: "other"}
    with pytest.raises(ValueError, match="holds scores of") as refused:
        claim_folder(tmp_path, ScoresIdentity(**values))
    for part in ("runs/a", "data A", "elsewhere/a", "data A, copied", "--overwrite"):
        assert part in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"checkpoint": "runs/a"}'])
def test_damaged_notes_are_named(tmp_path, text):
    _finished(tmp_path)
    (tmp_path / "evaluated.json").write_text(text)
    with pytest.raises(ValueError, match=r"evaluated\.json.*--overwrite"):
        claim_folder(tmp_path, ONE)


def test_scores_of_nobody_knows_what_are_refused(tmp_path):
    (tmp_path / "scores.csv").write_text("a diary")
    with pytest.raises(ValueError, match=r"no evaluated\.json"):
        claim_folder(tmp_path, ONE)


def test_what_is_overwritten_waits_for_its_successor(tmp_path):
    _finished(tmp_path)
    (tmp_path / "report.html").write_text("report of one")
    other = ScoresIdentity("w2", "r1", "paper inputs", "runs/b", "data A")
    claim_folder(tmp_path, other, overwrite=True)
    (tmp_path / "scores.csv").write_text("half of the other\n")
    claim_folder(tmp_path, other)  # resumes
    claim_folder(tmp_path, other, overwrite=True)  # or starts anew; the finished one still waits
    assert not (tmp_path / "scores.csv").exists()
    assert (tmp_path / "scores.csv.old").read_text() == "scores of one\n"
    (tmp_path / "scores.csv").write_text("the other\n")
    finish_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluated.json", "scores.csv"]


def test_buckets_are_refused(tmp_path):
    with pytest.raises(ValueError, match="a folder on a disk"):
        claim_folder("gs://bucket/out", ONE)
