"""Claims: the first caller writes the note, later ones are checked against it."""

import json

import pytest

from lipfd_jax.storage.claims import claim_note, read_note


def test_the_note_is_written_once_and_checked_later(tmp_path):
    note = tmp_path / "note.json"
    assert claim_note(note, {"weights": "a"}, lambda found: "unasked") is None
    assert claim_note(note, {"weights": "b"}, lambda found: "") == {"weights": "a"}
    assert read_note(note) == {"weights": "a"}
    with pytest.raises(ValueError, match=r": holds a; give another --output, or --overwrite"):
        claim_note(note, {"weights": "b"}, lambda found: f"holds {found['weights']}")
    assert json.loads(note.read_text()) == {"weights": "a"}


@pytest.mark.parametrize("text", ["", "{", "1", '"text"'])
def test_a_damaged_note_is_named(tmp_path, text):
    note = tmp_path / "note.json"
    note.write_text(text)
    with pytest.raises(ValueError, match=r"note\.json: can't be read .*--overwrite"):
        claim_note(note, {}, lambda found: "")
