"""Listings of data sets: every file becomes a clip or a problem with a reason."""

import os

import pytest

from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.clips_csv import list_csv_clips
from lipfd_jax.listing.layouts import find_archive, list_layout
from lipfd_jax.listing.synthetic_mark import mark_synthetic


def _touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_avlips_layout_in_natural_order(tmp_path):
    _touch(*(tmp_path / "0_real" / f"{n}.mp4" for n in (10, 2, 0)), tmp_path / "1_fake" / "2.avi")
    _touch(tmp_path / "wav" / "0_real" / "2.wav")
    listing = list_avlips(tmp_path)
    assert [clip.video for clip in listing.clips] == ["0_real/0", "0_real/2", "0_real/10", "1_fake/2"]
    assert [clip.label for clip in listing.clips] == [0, 0, 0, 1]
    assert [clip.wav is not None for clip in listing.clips] == [False, True, False, False]
    assert listing.clips[1].source == listing.clips[3].source == "2"
    assert listing.problems == ()


def test_avlips_problems_are_named(tmp_path):
    _touch(tmp_path / "0_real" / "a.mp4", tmp_path / "0_real" / "a.mov", tmp_path / "0_real" / "notes.txt")
    _touch(tmp_path / "0_real" / ".DS_Store", tmp_path / "0_real" / "._a.mp4", tmp_path / "wav/1_fake/b.wav")
    _touch(tmp_path / "0_real" / "new\nline.mp4")
    (tmp_path / "0_real" / "folder.mp4").mkdir()
    listing = list_avlips(tmp_path)
    assert [clip.path.name for clip in listing.clips] == ["a.mov"]
    assert {name for name, _ in listing.problems} == {
        "0_real/a.mp4", "0_real/notes.txt", "0_real/new\\nline.mp4", "0_real/folder.mp4", "wav/1_fake/b.wav"
    }  # fmt: skip
    assert all(reason for _, reason in listing.problems)


def test_links_out_of_the_folder_are_refused(tmp_path):
    outside = tmp_path / "outside"
    _touch(outside / "secret.mp4", outside / "secret.wav", tmp_path / "data/0_real/b.mp4")
    data = tmp_path / "data"
    (data / "0_real" / "a.mp4").symlink_to(outside / "secret.mp4")
    (data / "0_real" / "loop.mp4").symlink_to(data / "0_real" / "loop.mp4")
    (data / "0_real" / "c.mp4").symlink_to(data / "0_real" / "b.mp4")
    (data / "wav" / "0_real").mkdir(parents=True)
    (data / "wav" / "0_real" / "b.wav").symlink_to(outside / "secret.wav")
    listing = list_avlips(data)
    assert [clip.video for clip in listing.clips] == ["0_real/c"]
    followed = list_avlips(data, links="follow")
    assert [clip.video for clip in followed.clips] == ["0_real/a", "0_real/b"]  # c is b again
    assert followed.clips[1].wav == data / "wav" / "0_real" / "b.wav"
    assert {name for name, _ in followed.problems} == {"0_real/loop.mp4", "0_real/c"}
    reason = dict(followed.problems)["0_real/c"]
    assert reason == "the same file as 0_real/b, by a link or listed twice: only the first is kept"
    fake = data / "1_fake" / "d.mp4"
    fake.parent.mkdir()
    fake.hardlink_to(data / "0_real" / "b.mp4")
    problems = dict(list_avlips(data, links="follow").problems)
    assert problems["0_real/b"] == "the same file as 1_fake/d: one file can't be real and fake"
    assert problems["1_fake/d"] == "the same file as 0_real/b: one file can't be real and fake"
    assert {name for name, _ in listing.problems} == {"0_real/a.mp4", "0_real/loop.mp4", "0_real/b.mp4"}


def test_names_that_are_not_utf8_are_refused(tmp_path):
    _touch(tmp_path / "0_real" / "ü.mp4", tmp_path / "0_real" / "日本.mp4")
    with open(os.fsencode(tmp_path / "0_real") + b"/\xff.mp4", "wb") as file:
        file.write(b"x")
    listing = list_avlips(tmp_path)
    assert {clip.source for clip in listing.clips} == {"ü", "日本"}
    assert listing.problems[0][0].encode() == b"0_real/\\udcff.mp4"


def test_a_folder_of_another_layout_is_refused(tmp_path):
    with pytest.raises(ClipError, match="0_real"):
        list_avlips(tmp_path)


def _csv(folder, *rows, heading="path,label,group,generator"):
    path = folder / "clips.csv"
    path.write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")
    return path


def test_csv_rows_become_clips(tmp_path):
    _touch(tmp_path / "a" / "x.mp4", tmp_path / "a" / "x.wav", tmp_path / "y.mov")
    listing = list_csv_clips(_csv(tmp_path, "a/x.mp4,fake,anna,wav2lip", "y.mov,0,,"))
    first, second = listing.clips
    assert (first.video, first.label, first.source, first.generator) == ("1_fake/a__x", 1, "anna", "wav2lip")
    assert first.wav == tmp_path / "a" / "x.wav"
    assert (second.video, second.label, second.source, second.wav) == ("0_real/y", 0, "y", None)
    assert listing.problems == ()


def test_csv_without_optional_columns_or_with_file(tmp_path):
    _touch(tmp_path / "x.mp4")
    listing = list_csv_clips(_csv(tmp_path, "x.mp4,real", heading="file,label"))
    assert listing.clips[0].source == "x"


def test_csv_names_that_collide_keep_their_suffix(tmp_path):
    _touch(
        tmp_path / "z/x.mp4",
        tmp_path / "x.mp4",
        tmp_path / "x.mov",
        tmp_path / "a/b.mp4",
        tmp_path / "a__b.mp4",
    )
    listing = list_csv_clips(
        _csv(tmp_path, "x.mp4,0,,", "x.mov,0,,", "z/x.mp4,1,,", "a/b.mp4,0,,", "a__b.mp4,0,,")
    )
    videos = [clip.video for clip in listing.clips]
    assert videos == ["0_real/x.mp4", "0_real/x.mov", "1_fake/z__x", "0_real/a__b.mp4"]
    assert [name for name, _ in listing.problems] == ["a__b.mp4"]


def test_csv_problems_are_named(tmp_path):
    data = tmp_path / "data"
    _touch(tmp_path / "out.mp4", data / "x.mp4")
    long = "x" * 300 + ".mp4"
    listing = list_csv_clips(
        _csv(
            data,
            "../out.mp4,0,,",
            f"{tmp_path}/out.mp4,0,,",
            "x.mp4,maybe,,",
            ",0,,",
            "no.mp4,1,,",
            f"{long},0,,",
        )
    )
    assert listing.clips == ()
    assert len(listing.problems) == 6
    assert all(reason for _, reason in listing.problems)


@pytest.mark.parametrize("content", [b"", b"name,kind\nx,y\n", b"path,label\n\x81,0\n"])
def test_a_file_that_is_no_such_csv_is_refused(tmp_path, content):
    path = tmp_path / "clips.csv"
    path.write_bytes(content)
    with pytest.raises(ClipError, match=r"clips\.csv"):
        list_csv_clips(path)


def test_hidden_files_are_counted_and_strays_named(tmp_path):
    _touch(tmp_path / "0_real/a.mp4", tmp_path / "0_real/._a.mp4", tmp_path / "0_real/.DS_Store")
    _touch(tmp_path / "stray.mp4", tmp_path / "README.md", tmp_path / "wav/stray.wav")
    _touch(tmp_path / "wav/0_real/a.WAV", tmp_path / "wav/0_real/a.mp3")
    listing = list_avlips(tmp_path)
    assert dict(listing.problems) == {
        "stray.mp4": "outside of 0_real and 1_fake",
        "wav/stray.wav": "outside of 0_real and 1_fake",
        "wav/0_real/a.WAV": "not read; expected NAME.wav",
        "wav/0_real/a.mp3": "not read; expected NAME.wav",
    }
    assert "  skipped: 2 hidden or system files" in listing.summary().splitlines()


def test_problems_are_those_of_the_files(tmp_path):
    _touch(tmp_path / "0_real/a.mp4.part", tmp_path / "0_real/sub/x.mp4", tmp_path / "0_real/b.MXF")
    (tmp_path / "0_real/c").write_bytes(b"\x1aE\xdf\xa3")  # Matroska
    (tmp_path / "0_real/dead.mp4").symlink_to("gone.mp4")
    os.mkfifo(tmp_path / "0_real/pipe.mp4")
    listing = list_avlips(tmp_path)
    assert [clip.video for clip in listing.clips] == ["0_real/b", "0_real/c"]
    assert dict(listing.problems) == {
        "0_real/a.mp4.part": "an unfinished download",
        "0_real/sub": "a folder",
        "0_real/dead.mp4": "a link to nothing (gone.mp4)",
        "0_real/pipe.mp4": "no file, but a pipe or a device",
    }


def test_an_address_of_a_data_set_is_named(tmp_path):
    with pytest.raises(ClipError, match="files only"):
        list_avlips("gs://bucket/AVLips")
    with pytest.raises(ClipError, match="gcloud storage cp"):
        list_layout("gs://bucket/AVLips", "avlips", unpack_dir=tmp_path)


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize(
    ("layout", "file", "marked"),
    [
        ("avlips", "0_real/a.mp4", ""),
        ("folder", "sub/a.mp4", "sub"),  # beside the table
        ("official_val", "0_real/a_0.png", ""),
    ],
)
def test_every_layout_knows_drawn_people_by_their_mark(tmp_path, layout, file, marked, drawn):
    _touch(tmp_path / file)
    _touch(tmp_path / "sub/clips.csv")
    (tmp_path / "sub/clips.csv").write_text("path,label\na.mp4,0\n")
    if drawn:
        mark_synthetic(tmp_path / marked, {})
    listing = list_layout(tmp_path, layout, unpack_dir=tmp_path / "un", clips_csv="sub/clips.csv")
    assert len(listing.clips) == 1
    assert listing.synthetic == drawn


def test_a_mac_s_copy_of_an_archive_is_no_second_archive(tmp_path):
    _touch(tmp_path / "AVLips.zip", tmp_path / "._AVLips.zip")
    assert find_archive(tmp_path, "avlips") == tmp_path / "AVLips.zip"


def test_videos_in_no_row_are_named(tmp_path):
    _touch(*(tmp_path / name for name in ("x.mp4", "a/y.MTS", "a/z.mp4", "a/z.wav", ".h.mp4", "no.txt")))
    listing = list_csv_clips(_csv(tmp_path, "./a/../x.mp4,0,,", "gone.mp4,0,,"))
    assert listing.unlisted == ("a/y.MTS", "a/z.mp4")
    assert "  not taken: 2 files: in no row: a/y.MTS, a/z.mp4" in listing.summary().splitlines()
    assert list_csv_clips(_csv(tmp_path, "x.mp4,0,,", "a/y.MTS,0,,", "a/z.mp4,0,,")).unlisted == ()
