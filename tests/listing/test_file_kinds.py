"""Kinds of files: videos by suffix and content, and true words for everything else."""

import shutil

import av
import numpy as np
import pytest

from lipfd_jax.listing.file_kinds import SOUND, VIDEO, find_kind_problem, name_kind, read_kind

_CODECS = {  # format: (video codec, its pixels)
    "mp4": ("libx264", "yuv420p"),
    "mov": ("libx264", "yuv420p"),
    "matroska": ("libx264", "yuv420p"),
    "webm": ("libvpx", "yuv420p"),
    "avi": ("mpeg4", "yuv420p"),
    "mpegts": ("mpeg2video", "yuv420p"),
    "vob": ("mpeg2video", "yuv420p"),
    "mpeg2video": ("mpeg2video", "yuv420p"),
    "flv": ("flv", "yuv420p"),
    "asf": ("wmv2", "yuv420p"),
    "mxf": ("mpeg2video", "yuv420p"),
}


@pytest.fixture(scope="session")
def contained(tmp_path_factory):
    """contained(format): the path of a clip of a few frames, without a suffix."""

    def write(format):
        path = tmp_path_factory.mktemp("kinds") / "clip"
        codec, pixels = _CODECS[format]
        with av.open(str(path), "w", format=format) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, pixels
            for level in range(0, 250, 25):
                picture = np.full((64, 64, 3), level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        return path

    return write


@pytest.mark.parametrize("format", _CODECS)
def test_a_video_without_a_suffix_is_one_by_its_content(contained, format):
    path = contained(format)
    assert read_kind(path) == VIDEO
    assert find_kind_problem(path) == ""
    assert find_kind_problem(shutil.copy(path, path.with_name("interview.2024"))) == ""


def test_a_transport_stream_is_found_from_the_middle_of_a_packet_and_with_times_of_blu_ray(contained):
    data = contained("mpegts").read_bytes()
    assert name_kind(data[100:4196]) == VIDEO
    packets = [data[place : place + 188] for place in range(0, 188 * 20, 188)]
    assert name_kind(b"".join(b"\1\2\3\4" + packet for packet in packets)) == VIDEO


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "an empty file"),
        (b"a shopping list\n" * 9, "text"),
        ("Einkäufe".encode("latin-1"), "text"),
        ("notes".encode("utf-16"), "text"),
        (b"The free software", "text"),  # the name of a box of QuickTime in its place
        (b"\n<!DOCTYPE html><html>", "a web page, as a download of an address gives it"),
        (b"#EXTM3U\n#EXTINF:1,\nx.ts\n", "a playlist"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "a pointer of Git LFS: fetch the file"),
        (b"\0\0\0\x18ftypheic\0\0", "a picture"),
        (b"\0\0\0\x18ftypM4A \0\0", SOUND),
        (b"\0\0\0\x18ftypqt  \0\0", VIDEO),
        (b"\0\0\0\x08wide\0\0\0\0mdat", VIDEO),
        (b"\x1f\x07\x00\xbf\0\0", VIDEO),
        (b"OggS\0\2" + bytes(22) + b"\x80theora", VIDEO),
        (b"OggS\0\2" + bytes(22) + b"\1vorbis", SOUND),
        (b"RIFF\0\0\0\0WAVEfmt ", SOUND),
        (b"\xff\xd8\xff\xe0\0", "a picture"),
        (b"PK\x03\x04\0", "an archive: unpack it"),
        (b"%PDF-1.7\n\0", "a document"),
        (b"\0\5\x16\7" + bytes(80), "what a Mac keeps besides a file"),
        (bytes(4096), "zeros at its beginning"),
        (b".RMF\0\0\0\x12", VIDEO),
        (b"nut/multimedia container\0", "NUT, a video of a kind that is not read here: convert it"),
        (b"\0\0\0\1\x67\x64\0\x0a", "H.264 without a container, which has no sound"),
        (bytes(range(256)), ""),
    ],
)
def test_other_content_has_a_word(head, kind):
    found = name_kind(head)
    assert found.startswith(kind)
    assert bool(found) == bool(kind)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.MTS", b"\0" * 9, ""),  # by its suffix; whether it can be read shows later
        ("a.vob", b"text", ""),
        ("main.ts", b"export const x = 1;\n", "not a video: text"),  # a program
        ("a.mp4.part", b"\0\0\0\x18ftypisom", "an unfinished download"),
        ("a.mp4.crdownload", b"", "an unfinished download"),
        ("a.f137.mp4.part-Frag12", b"", "an unfinished download"),
        ("a.jpg", b"", "not a video: a picture"),
        ("a.wav", b"", "not a video: sound without a picture"),
        ("a.zip", b"", "not a video: an archive: unpack it"),
        ("a.rmvb", b"", ""),
        ("a.swf", b"", "not a video: a video of a kind that is not read here"),
        ("notes", b"x", "not a video: text"),
        ("notes.dat", bytes(range(99)), "not a video: unknown content"),
        ("empty", b"", "not a video: an empty file"),
    ],
)
def test_the_suffix_decides_first(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    found = find_kind_problem(tmp_path / name)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)
