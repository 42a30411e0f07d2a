"""The command lipfd metrics, as a user runs it."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def _run(*flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "lipfd_jax", "metrics", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_published_scores(tmp_path, golden):
    file = golden / "official_val_scores.csv"
    done = _run(f"--scores={file}", f"--compare={file}", f"--output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    assert "0.98716" in done.stdout
    assert "ap 0.92173" in done.stdout
    assert "3,406 shared windows" in done.stdout
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["comparison"]["largest"] == 0
    assert content["videos"]["n"] == 838
    assert content["comparison"]["video_differences"]["auc"]["interval"] == [0, 0]
    assert "all,,videos,auc,0.9959" in (tmp_path / "out" / "metrics.csv").read_text()
    assert "3,406 shared windows" in (tmp_path / "out" / "report.html").read_text()


def test_mistakes_are_one_line(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("path,label,score\n0_real/1_0.png,0,oops\n")
    done = _run(f"--scores={file}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "line 2, column score" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    file.write_text("path,label,score\n")
    assert "no scores in there" in _run(f"--scores={file}").stderr


def test_stray_arguments_show_how_to_call():
    stray = _run("scores.csv", "--scores=x")
    assert stray.returncode != 0
    assert "--scores=FILE" in stray.stderr + stray.stdout
    assert "--compare" in stray.stderr + stray.stdout
