"""Listing of videos in files and folders: what is taken, and that all else is named with a reason."""

import os

import pytest

from lipfd_jax.listing import videos
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.videos import list_videos

MP4 = b"\0\0\0\x18ftypisom\0\0"


@pytest.fixture
def folder(tmp_path):
    """A folder of everything that a folder may hold."""
    place = tmp_path / "in"
    files = {
        **dict.fromkeys(("a.mp4", "b.MTS", "sub/c.m2ts", "sub/d.mxf", "no_suffix", "2024.05.03"), MP4),
        **dict.fromkeys(("._a.mp4", ".hidden.mp4", ".git/x.mp4", "__MACOSX/x.mp4", "Thumbs.db"), MP4),
        **dict.fromkeys(("notes.txt", "a.srt", "README"), b"text"),
        "j.mp4.part": MP4,
        "e.mp4.download/e.mp4": MP4,
        ".f.mp4.icloud": b"x",
        "linked/g.mp4": MP4,
    }
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    (place / "good.mp4").symlink_to(place / "a.mp4")
    (place / "dead.mp4").symlink_to("gone.mp4")
    (place / "loop.mp4").symlink_to("loop.mp4")
    (place / "more").symlink_to(place / "linked")
    os.mkfifo(place / "pipe.mp4")
    return place


def _relative(pairs, folder):
    return {path.relative_to(folder).as_posix(): reason for path, reason in pairs}


def test_all_of_a_folder_is_taken_or_named(folder):
    found = list_videos([folder])
    taken = [path.relative_to(folder).as_posix() for path in found.videos]
    assert sorted(taken) == sorted(
        ["a.mp4", "b.MTS", "sub/c.m2ts", "sub/d.mxf", "no_suffix", "2024.05.03", "linked/g.mp4", "good.mp4"]
    )
    assert _relative(found.left_out, folder) == {
        "README": "not a video: text",
        "a.srt": "not a video: text",
        "notes.txt": "not a video: text",
        "j.mp4.part": "an unfinished download",
        "e.mp4.download": "an unfinished download",
        ".f.mp4.icloud": "only in iCloud: download it first",
        "dead.mp4": "a link to nothing (gone.mp4)",
        "loop.mp4": "a circular link",
        "more": "a link to a folder, which is not followed",
        "pipe.mp4": "no file, but a pipe or a device",
    }
    assert found.hidden == 5
    assert found.refused == ()


def test_the_summary_counts_by_reason(folder):
    lines = list_videos([folder]).summary().splitlines()
    assert (
        f"not taken: 3 files: not a video: text: {folder}/README, {folder}/a.srt, {folder}/notes.txt" in lines
    )
    assert f"not taken: {folder}/dead.mp4: a link to nothing (gone.mp4)" in lines
    assert lines[-1] == "not taken: 5 hidden or system files"
    assert list_videos([folder / "a.mp4"]).summary() == ""


def test_many_files_of_a_reason_are_counted_and_the_first_named(tmp_path):
    (tmp_path / "a.mp4").touch()
    for number in range(30):
        (tmp_path / f"{number}.jpg").touch()
    (line,) = list_videos([tmp_path]).summary().splitlines()
    assert line.startswith("not taken: 30 files: not a video: a picture: ")
    assert line.endswith("4.jpg, ... and 25 more, all in left_out.csv (--csv)")


def test_a_folder_that_can_not_be_read_is_named(folder, monkeypatch):
    scan = os.scandir

    def refuse(place):
        if os.fspath(place).endswith("sub"):
            raise PermissionError(13, "Permission denied", os.fspath(place))
        return scan(place)

    monkeypatch.setattr(videos.os, "scandir", refuse)
    assert _relative(list_videos([folder]).left_out, folder)["sub"] == "can't be read: Permission denied"


def test_results_in_the_folder_are_no_inputs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "sub/report.html").write_text("<html>")
    named = [path for path, _ in list_videos(["."]).left_out]
    assert folder.joinpath("sub/report.html").relative_to(folder) in named
    found = list_videos(["."], skip=folder / "sub")
    assert not [path for path in (*found.videos, *(p for p, _ in found.left_out)) if "sub" in path.parts]


def test_a_named_file_is_taken_whatever_its_name(folder):
    named = [folder / "notes.txt", folder / "._a.mp4", folder / "j.mp4.part"]
    assert list_videos(named).videos == tuple(named)


def test_a_missing_file_is_refused_and_the_rest_goes_on(folder):
    found = list_videos([folder / "gone.mp4", folder / "dead.mp4", folder / "a.mp4", "x" * 300 + ".mp4"])
    assert found.videos == (folder / "a.mp4",)
    assert [reason for _, reason in found.refused] == [
        "no such file or folder",
        "a link to nothing (gone.mp4)",
        "File name too long",
    ]
    with pytest.raises(ClipError, match=r"gone\.mp4: no such file or folder\n.*dead\.mp4: a link to nothing"):
        list_videos([folder / "gone.mp4", folder / "dead.mp4"])


def test_a_folder_without_a_video_says_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ClipError, match=r"notes\.txt: not a video: text\n.*no video in it"):
        list_videos([tmp_path])


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("https://www.youtube.com/watch?v=x&t=1", "yt-dlp 'https://www.youtube.com/watch?v=x&t=1'"),
        ("HTTP://example.org/clip.mp4", "curl -LO 'http://example.org/clip.mp4'"),
        ("www.example.org/clip.mp4", "curl -LO 'https://www.example.org/clip.mp4'"),
        ("rtsp://camera/1", "ffmpeg -i 'rtsp://camera/1'"),
        ("s3://bucket/clip.mp4", "aws s3 cp 's3://bucket/clip.mp4' ."),
        ("gs://bucket/clip.mp4", "gcloud storage cp 'gs://bucket/clip.mp4' ."),
        ("smb://server/clip.mp4", "copy it to this machine first"),
        ("file:///videos/my%20clip.mp4", "give the path /videos/my clip.mp4"),
        ("file://localhost/videos/x.mp4", "give the path /videos/x.mp4"),
    ],
)
def test_an_address_gets_the_way_to_a_file(name, remedy):
    with pytest.raises(ClipError) as caught:
        list_videos([name])
    assert "files only" in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(("name", "reason"), [("", "an empty name"), ("-", "standard input is not read")])
def test_names_of_no_file_are_refused(name, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClipError, match=reason):
        list_videos([name])


def test_a_folder_named_like_an_address_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file:").mkdir()
    (tmp_path / "file:/a.mp4").touch()
    assert [path.name for path in list_videos(["file:"]).videos] == ["a.mp4"]
