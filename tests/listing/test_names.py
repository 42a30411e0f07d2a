"""Names: which can be stored, and how odd ones are printed."""

from pathlib import Path

import pytest

from lipfd_jax.listing.names import encode_name, escape_bytes, escape_controls, escape_path, find_name_problem


@pytest.mark.parametrize(
    "name",
    [
        "Screen Recording at 3.45\u202fPM.mov",
        "日本\u3000語.mp4",
        "a\xa0b",
        "می\u200cخواهم",
        "👨\u200d👩.mp4",
        "-x",
    ],
)
def test_spaces_and_joiners_of_other_scripts_are_names(name):
    assert find_name_problem(name) == ""
    assert escape_controls(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\x1b[0m", r"a\x1b[0m"),
        ("a\u2028b", r"a\u2028b"),
        ("a\u202eb", r"a\u202eb"),  # turns the direction of what follows
        ("a\udcffb", r"a\udcffb"),
    ],
)
def test_controls_and_bytes_are_escaped(name, shown):
    assert "rename it" in find_name_problem(name)
    assert escape_controls(name) == shown


def test_bytes_that_are_not_utf8_can_be_stored():
    assert escape_bytes("é\udce9\n") == "é\\xe9\n"
    assert escape_path(Path("é\udce9\n")) == r"é\xe9\n"
    assert encode_name("é\udce9") == b"\xc3\xa9\xe9"
    assert escape_bytes("half \ud83d") == r"half \ud83d"
