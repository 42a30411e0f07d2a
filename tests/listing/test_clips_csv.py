"""Tables of clips as people save them: separators and encodings of Excel, paths of Windows, labels."""

import re

import pytest

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.clips_csv import list_csv_clips
from lipfd_jax.listing.labels import parse_label


@pytest.fixture
def listed(tmp_path):
    """Lists a CSV of the given bytes or text beside sub/a.mp4, b.mp4 and müller.mp4."""
    (tmp_path / "v/sub").mkdir(parents=True)
    for number, name in enumerate(("sub/a.mp4", "b.mp4", "müller.mp4")):
        (tmp_path / "v" / name).write_bytes(bytes(number + 1))

    def write(content, **options):
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "v/clips.csv").write_bytes(data.replace(b"FOLDER", bytes(tmp_path / "v")))
        return list_csv_clips(tmp_path / "v/clips.csv", **options)

    return write


PLAIN = "path,label,group\nsub/a.mp4,real,g1\nb.mp4,fake,g2\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace(",", ";").replace("\n", "\r\n"),
        "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ", ").replace("label", " Label "),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("path,label,group", "PATH,Label,Group").replace("real", "REAL"),
        PLAIN.replace("sub/a.mp4", '"sub\\a.mp4"'),
        PLAIN.replace("sub/a.mp4", "./sub/a.mp4"),
        PLAIN.replace("sub/a.mp4", "FOLDER/sub/a.mp4"),
        PLAIN.replace("\n", "\n,,\n\n"),
        "\n" + PLAIN.replace("\n", ",,,\n"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.encode("utf-16-le"),
    ],
)
def test_one_table_saved_in_many_ways(listed, content):
    found = listed(content)
    assert [(clip.video, clip.source) for clip in found.clips] == [
        ("0_real/sub__a", "g1"),
        ("1_fake/b", "g2"),
    ]
    assert (found.problems, found.all_notes()) == ((), ())


def test_a_table_of_windows_is_read_and_the_guess_is_said(listed):
    found = listed("path,label\nmüller.mp4,real\n".encode("cp1252"))
    assert [clip.path.name for clip in found.clips] == ["müller.mp4"]
    assert "not UTF-8 and was read as Windows-1252" in found.notes[0]
    # Accents as macOS stores them in names of files.
    assert len(listed("path,label\nmu\u0308ller.mp4,real\n").clips) == 1


@pytest.mark.parametrize(
    ("word", "label"),
    [
        *(("Deep-Fake", 1), ("spoof", 1), ("1_fake", 1), ("Synthetic", 1), ("manipulated", 1)),
        *(("bona fide", 0), ("BONAFIDE", 0), ("original", 0), ("pristine", 0), ("0.0", 0)),
        *(("true", None), ("", None), ("2", None)),
    ],
)
def test_words_of_the_field_for_labels(word, label):
    assert parse_label(word) == label


def test_uncommon_labels_are_named_and_unknown_ones_refused(listed):
    found = listed("path,label\nsub/a.mp4,Original\nb.mp4,deepfake\nmüller.mp4,fakee\n")
    assert [clip.label for clip in found.clips] == [0, 1]
    assert "'deepfake' is read as fake, 'original' is read as real" in found.notes[0]
    (note,) = listed("path,label\nb.mp4,fake\n").all_notes()
    assert note.startswith("all clips are fake")
    assert "label 'fakee', expected real or fake" in found.problems[0][1]
    assert "did you mean fake?" in found.problems[0][1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"path,label\nb.mp4,fa\0ke\n", "holds NUL bytes"),
        (b"path,label\nb.mp4,fake\n" * 20 + b"\0\n", "holds NUL bytes"),
        ("\n \n", "is empty"),
        ("path,label\nb.mp4,fake\nb.mp4," + "f" * 200_000, "line 3 can't be read as CSV: field larger"),
    ],
)
def test_what_is_no_table_is_said(listed, content, reason):
    with pytest.raises(ClipError, match=reason):
        listed(content)


def test_a_repeated_row_is_named_and_changes_no_name(listed):
    found = listed("path,label\nb.mp4,fake\nb.mp4,fake\n")
    assert [clip.video for clip in found.clips] == ["1_fake/b"]
    assert found.problems == (("b.mp4", "is in the table more than once; its first row is taken"),)


def test_true_and_false_are_no_labels(listed):
    found = listed("path,label\nsub/a.mp4,TRUE\nb.mp4,FALSE\n")
    assert not found.clips
    assert all("neither real nor fake" in reason for _, reason in found.problems)


def test_ignored_columns_are_named(listed):
    found = listed(",path,label,grup,start,end\n0,b.mp4,fake,g,0.5,1\n1,sub/a.mp4,real,h,,\n")
    pieces, others = found.notes
    assert "ignored columns: start, end (1 row(s) have a value): the whole clip is used" in pieces
    assert "ignored columns: one without a name, grup; did you mean 'group' by 'grup'?" in others
    for name in ("start-time", "Start_Time", "start time"):
        (note,) = listed(f"path,label,{name}\nb.mp4,fake,0.5\nsub/a.mp4,real,\n").notes
        assert f"ignored columns: {name.lower()} (1 row(s) have a value): the whole clip is used" in note
    with pytest.raises(ClipError, match=r"expected path .or file. and label; rename 'lable' to 'label'"):
        listed("path,lable\nb.mp4,fake\n")
    with pytest.raises(ClipError, match="rename 'filename' to 'path'"):
        listed("filename,label\nb.mp4,fake\n")
    with pytest.raises(ClipError, match="two columns named 'label'"):
        listed("path,label,Label\nb.mp4,fake,fake\n")


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        (
            "/elsewhere/b.mp4",
            "leads out of the folder.*copy the video into .*--links=follow, here probably b.mp4",
        ),
        ("../b.mp4", "leads out of the folder"),
        (
            "C:\\Users\\anna\\sub\\a.mp4",
            "absolute path of Windows.*relative to the CSV, here probably sub/a.mp4",
        ),
        ("https://example.org/b.mp4", "files only, not addresses; save the video as a file first"),
        ("B.MP4", "no such file; there is b.mp4"),
        ("sub/a", "no such file; there is sub/a.mp4"),
        ("one, two.mp4", "line 2 has 3 values for 2 columns; put quotes"),
    ],
)
def test_paths_that_fail_get_advice(listed, path, advice):
    found = listed(f"path,label\n{path},real\n")
    assert found.clips == ()
    assert re.search(advice, found.problems[0][1]), found.problems


def test_a_link_of_ones_own_is_followed_by_an_absolute_path(listed, tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"x")
    (tmp_path / "v/link.mp4").symlink_to(tmp_path / "out.mp4")
    table = "path,label\nFOLDER/link.mp4,real\n"
    assert "--links=follow" in listed(table).problems[0][1]
    assert len(listed(table, links="follow").clips) == 1


def test_a_spreadsheet_is_named(listed):
    with pytest.raises(ClipError, match="a spreadsheet or zip, not a CSV"):
        listed(b"PK\x03\x04 and more")
