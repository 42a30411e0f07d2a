"""Untrusted files: refused with a reason or scored for their content, and nothing is left behind."""

import json
import os
import struct

import av
import numpy as np
import pytest

from lipfd_jax.detection.batch_run import detect_videos
from lipfd_jax.faces import scan
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.videos import list_videos


@pytest.fixture(scope="module")
def clip(film, tmp_path_factory):
    """An MP4 of a second, as bytes."""
    pictures = [np.full((64, 64, 3), value, np.uint8) for value in range(0, 250, 10)]
    return film(tmp_path_factory.mktemp("hostile") / "a.mp4", pictures).read_bytes()


def _patched(clip, box, offset, values):
    """The file with 32-bit values written into every box of this name."""
    data, place = bytearray(clip), -1
    while (place := data.find(box, place + 1)) >= 0:
        data[place + offset : place + offset + 4 * len(values)] = struct.pack(f">{len(values)}I", *values)
    return bytes(data)


def _declared(path, side):
    """An AVI of raw pictures whose header claims another size."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "bgr24"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "bgr24")))
        container.mux(stream.encode())
    data = bytearray(path.read_bytes())
    place = data.find(b"strf")
    data[place + 12 : place + 20] = struct.pack("<ii", side, side)
    path.write_bytes(data)
    return path


def test_bad_files_are_named_with_a_reason_and_leave_nothing(clip, tmp_path, model):
    files = {
        "text.mp4": b"a shopping list\n" * 100,
        "empty.mp4": b"",
        "list.mp4": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "other.mp4": b"ffconcat version 1.0\nfile 'text.mp4'\n",
        "half.mp4": clip[: len(clip) // 2],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    paths = list_videos([tmp_path / name for name in (*files, "pipe.mp4", "device.mp4")]).videos
    lines = detect_videos(model, paths, tmp_path / "out", print_line=str)
    assert [line.outcome for line in lines] == [None] * 7
    assert all(line.path.name in line.error for line in lines)
    assert "a pipe or a device" in lines[-1].error
    assert os.listdir(tmp_path / "out") == []


def test_a_header_of_ten_hours_is_not_believed(clip, tmp_path, model):
    data = clip
    for box, offset, values in (
        (b"mvhd", 16, [1000, 36_000_000]),
        (b"mdhd", 16, [12800, 460_800_000]),
        (b"stts", 12, [900_000]),
    ):
        data = _patched(data, box, offset, values)
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    (line,) = detect_videos(model, [path], tmp_path / "out", print_line=str)
    assert line.outcome == "not_judged"
    assert json.loads((line.folder / "result.json").read_text())["file"]["seconds"] == pytest.approx(1)


def test_a_download_that_broke_off_is_said(film, grainy, tmp_path, model):
    path = tmp_path / "a.mp4"
    with (
        av.open(str(film(tmp_path / "whole.mp4", grainy(60, 75)))) as whole,
        av.open(str(path), "w", options={"movflags": "faststart"}) as container,
    ):
        stream = container.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux():
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    (line,) = detect_videos(model, [path], tmp_path / "out", print_line=str)
    assert "earlier than its header says" in (line.folder / "report.html").read_text()


def test_pictures_declared_too_large_are_refused_before_they_take_memory(tmp_path):
    with pytest.raises(ClipError, match=r"a\.avi: the size of its frames is over 16 million"):
        scan.scan_video(_declared(tmp_path / "a.avi", 30_000), None)


def test_too_many_frames_are_refused(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "MAX_FRAMES", 20)
    (tmp_path / "a.mp4").write_bytes(clip)
    with pytest.raises(ClipError, match="over 20 frames"):
        scan.scan_video(tmp_path / "a.mp4", None)
