"""The command lipfd splits: a split and folds of clips, written as CSVs that a build follows."""

import csv
import subprocess
import sys
from collections import Counter

import pytest

from datasets_tfds.avlips.make_dummy_data import FOLDER


def _run(*flags):
    command = [sys.executable, "-m", "lipfd_jax", "splits", f"--manual_dir={FOLDER}", *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def _read(path):
    with open(path, newline="") as file:
        return {row["video"]: row["split"] for row in csv.DictReader(file)}


def test_a_split_is_written_and_counted(tmp_path):
    done = _run("--noheld_out", f"--output={tmp_path / 'splits.csv'}")
    assert done.returncode == 0, done.stderr
    counts = Counter(_read(tmp_path / "splits.csv").values())
    assert counts == {"train": 4, "validation": 2, "test": 2}
    assert "videos in train: 4, validation: 2, test: 2" in done.stdout


def test_footage_of_pairs_is_compared():
    done = _run("--check_footage", "--workers=0")
    assert done.returncode == 0, done.stderr
    assert "4 pairs of real and fake clips, 0 with different footage" in done.stdout


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--folds=2"], "add --noheld_out"),
        (["--folds=9", "--noheld_out"], "4 sources of real videos can't be dealt out to 9 parts"),
        (["--fractions=1,1,1"], "three shares"),
    ],
)
def test_what_can_not_be_drawn_is_an_error_of_one_line(flags, reason):
    done = _run(*flags)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
