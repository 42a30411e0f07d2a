"""Records left out: the file, and where an evaluation resumes."""

import pytest

from lipfd_jax.evaluation.metrics.skipped import (
    check_skipped_share,
    find_next_record,
    find_unscored_videos,
    read_skipped,
    write_skipped,
)
from lipfd_jax.evaluation.predict import SkippedRecord


def test_the_file_round_trips(tmp_path):
    some = (SkippedRecord(3, "0_real/a_0.png", 'cut, "here"'), SkippedRecord(7, "", "no picture"))
    assert read_skipped(tmp_path / "skipped.csv") == ()
    write_skipped(tmp_path / "skipped.csv", some)
    assert read_skipped(tmp_path / "skipped.csv") == some


@pytest.mark.parametrize("content", [b"index,path\n1\n", b"index,path,reason\nx,a,b\n", b"\xff\xfe"])
def test_damaged_files_are_named(tmp_path, content):
    file = tmp_path / "skipped.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"skipped\.csv"):
        read_skipped(file)


@pytest.mark.parametrize(
    ("rows", "skipped", "expected"),
    [(0, [], 0), (4, [], 4), (0, [0, 1], 2), (2, [0, 3], 4), (3, [1, 9], 4), (1, [1], 2)],
)
def test_next_record(rows, skipped, expected):
    assert find_next_record(rows, [SkippedRecord(index, "", "") for index in skipped]) == expected


def test_shares():
    one, two = (tuple(SkippedRecord(i, "", f"record {i}") for i in range(count)) for count in (1, 2))
    check_skipped_share(one, 3)
    check_skipped_share(two, 200)
    with pytest.raises(ValueError, match=r"2 of 199 records.*record 1"):
        check_skipped_share(two, 199)


def test_videos_without_any_window():
    skipped = [
        SkippedRecord(0, "0_real/a_0.png", ""),
        SkippedRecord(5, "1_fake/b_1.png", ""),
        SkippedRecord(9, "", ""),
    ]
    assert find_unscored_videos(skipped, ["1_fake/b", "1_fake/c"]) == ["0_real/a"]
