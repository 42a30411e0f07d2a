"""Journals: whole lines survive a kill, a partial last one does not."""

import pytest

from lipfd_jax.storage.journal import append_json_line, cut_partial_line, keep_whole_lines, read_json_lines


@pytest.mark.parametrize("partial", ["", "{", '{"video": "a'])
def test_a_partial_last_line_is_cut(tmp_path, partial):
    journal = tmp_path / "a.jsonl"
    append_json_line(journal, {"video": "0_real/\u00e9"})
    append_json_line(journal, {"video": "b"})
    whole = journal.read_bytes()
    journal.write_bytes(whole + partial.encode())
    cut_partial_line(journal)
    assert journal.read_bytes() == whole
    assert [line["video"] for line in read_json_lines(journal)] == ["0_real/\u00e9", "b"]


def test_a_missing_journal_has_no_lines(tmp_path):
    cut_partial_line(tmp_path / "none")
    assert list(read_json_lines(tmp_path / "none")) == []
    assert not (tmp_path / "none").exists()


def test_whole_lines_end_with_a_line_end():
    assert [keep_whole_lines(content) for content in (b"", b"a", b"a\nb", b"a\n")] == [
        b"",
        b"",
        b"a\n",
        b"a\n",
    ]
