"""Files appear whole or not at all, and old ones stay until then."""

import os

import pytest

from lipfd_jax.storage import files


def test_a_file_is_replaced_whole(tmp_path):
    files.write_text(tmp_path / "a", "one")
    files.write_json(tmp_path / "a", {"two": 2})
    assert (tmp_path / "a").read_text() == '{\n  "two": 2\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    files.write_text(tmp_path / "a", "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/a"):
        files.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_json_refuses_what_no_reader_knows(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a", float("nan"))


def test_the_longest_name_a_disk_allows(tmp_path):
    files.write_bytes(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"
