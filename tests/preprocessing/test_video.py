"""Frames and their times: equal to OpenCV's to the bit, rotated, bounded, from one file only."""

import errno
import io
import struct

import cv2
import numpy as np
import pytest

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing import containers
from lipfd_jax.preprocessing.containers import Damage, open_container, read_promised_seconds
from lipfd_jax.preprocessing.video import find_video_stream, read_frames, read_track

FORMATS = {
    "a.mp4": {},
    "odd.mp4": {"size": (99, 101), "pixels": "yuv444p"},
    "odd.mkv": {"size": (99, 101), "codec": "ffv1"},
    "ten_bit.mp4": {"size": (66, 90), "pixels": "yuv420p10le"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "one_pixel.mkv": {"size": (1, 1), "codec": "ffv1", "pixels": "bgr0"},
    "wide.mp4": {"size": (16, 4096)},
    "b.mov": {"fps": 30},
}


def _opencv_frames(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return frames, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))


@pytest.mark.parametrize("name", FORMATS)
def test_frames_equal_opencvs(tmp_path, studio, name):
    path = studio.write_video(tmp_path / name, 12, **FORMATS[name])
    expected, count = _opencv_frames(path)
    track, decoded = read_track(path), read_frames(path, range(12))
    assert track.opencv_count == count
    assert len(track.times) == len(decoded.times) == len(expected) == 12
    for number, frame in enumerate(expected):
        np.testing.assert_array_equal(decoded.frames[number], frame)


def test_frames_of_real_clips_equal_opencvs(media):
    paths = sorted(media.glob("*/**/*.mp*"))[::4]
    assert paths
    for path in paths:
        capture = cv2.VideoCapture(str(path))
        frame = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
        if frame.shape[0] * frame.shape[1] > 500 * 500:
            frame = cv2.resize(frame, (500, 500))
        np.testing.assert_array_equal(read_frames(path, {0}).frames[0], frame)
        assert read_track(path).opencv_count == capture.get(cv2.CAP_PROP_FRAME_COUNT)


def test_times_are_those_the_file_gives(tmp_path, studio):
    times = [0.0, 0.04, 0.3, 0.32, 0.5, 0.9, 1.0, 1.5]
    track = read_track(studio.write_video(tmp_path / "a.mkv", 8, times=times))
    np.testing.assert_allclose(track.times, times, atol=1e-6)
    assert track.boundaries().shape == (9,)
    assert track.end > 1.5


def test_only_wanted_frames_are_kept_and_large_ones_are_shrunk(tmp_path, studio):
    decoded = read_frames(studio.write_video(tmp_path / "a.mp4", 9, size=(480, 640)), {2, 7, 100})
    assert sorted(decoded.frames) == [2, 7]
    assert decoded.frames[7].shape == (500, 500, 3)
    assert [studio.number_of(decoded.frames[number]) for number in (2, 7)] == [2, 7]


def test_rotation_is_respected(tmp_path, studio):
    path = studio.turn(studio.write_video(tmp_path / "a.mp4", 6))
    frame = read_frames(path, {5}).frames[5]
    assert frame.shape == (80, 48, 3)
    np.testing.assert_array_equal(frame, _opencv_frames(path)[0][5])


def test_frames_before_time_zero(tmp_path, studio):
    times = [-0.4 + 0.05 * number for number in range(20)]
    for name in ("a.mp4", "a.mkv", "a.ts"):
        path = studio.write_video(tmp_path / name, 20, times=times)
        track, decoded = read_track(path), read_frames(path, range(20))
        assert len(track.times) == len(decoded.times)
        np.testing.assert_allclose(track.times, decoded.times, atol=1e-6)
        numbers = [studio.number_of(decoded.frames[number]) for number in range(len(track.times))]
        assert numbers == list(range(20 - len(numbers), 20))


def test_edit_lists_are_followed(tmp_path, studio):
    """A cut without recoding hides frames of the file; it is not a truncated file."""
    path = studio.write_video(tmp_path / "a.mp4", 60)
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    _, shift = struct.unpack(">Ii", data[entry : entry + 8])
    data[entry : entry + 8] = struct.pack(">Ii", 1000, shift + 12800)  # a second, from the first second on
    path.write_bytes(data)
    track, decoded = read_track(path), read_frames(path, range(60))
    assert len(track.times) == len(decoded.times) == 25
    assert [studio.number_of(decoded.frames[number]) for number in (0, 24)] == [25, 49]


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("faststart", [False, True])
def test_a_truncated_mp4_is_named(tmp_path, studio, kept, faststart):
    path = studio.write_video(tmp_path / "cut.mp4", 60, faststart=faststart)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ClipError, match=r"cut\.mp4: "):
        read_frames(path, range(len(read_track(path).times)))


def test_names_are_never_addresses(tmp_path, studio, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:x.mp4", "concat:a|b.mp4", "%d.mp4", "ünï 日本.mp4", "x" * 240 + ".mp4"):
        studio.write_video(tmp_path / "plain.mp4", 6).rename(tmp_path / name)
        assert len(read_frames((tmp_path / name).relative_to(tmp_path), ()).times) == 6


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "just text\n" * 100,
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    ],
)
def test_text_named_mp4_opens_no_other_file(tmp_path, studio, text):
    studio.write_video(tmp_path / "secret.mp4", 6)
    path = tmp_path / "list.mp4"
    path.write_text(text)
    with pytest.raises(ClipError, match=r"list\.mp4: can't be decoded"):
        read_track(path)


def test_other_damage_is_named(tmp_path, studio):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    studio.write_wav(tmp_path / "sound.wav", studio.chirp(1)).rename(tmp_path / "sound.mp4")
    reasons = {"empty.mp4": "empty", "folder.mp4": "no such", "none.mp4": "no such", "sound.mp4": "no video"}
    for name, reason in reasons.items():
        with pytest.raises(ClipError, match=rf"{name}: .*{reason}"):
            read_track(tmp_path / name)


def test_absurd_sizes_and_lengths_are_refused(tmp_path, studio, monkeypatch):
    path = studio.write_video(tmp_path / "a.mp4", 30)
    monkeypatch.setattr("lipfd_jax.preprocessing.video.MAX_PIXELS", 1000)
    with pytest.raises(ClipError, match="80x48"):
        read_track(path)
    monkeypatch.undo()
    monkeypatch.setattr("lipfd_jax.preprocessing.containers.MAX_SECONDS", 1.0)
    with pytest.raises(ClipError, match="minutes"):
        read_track(path)
    monkeypatch.undo()
    monkeypatch.setattr("lipfd_jax.preprocessing.video.MAX_FRAMES", 20)
    with pytest.raises(ClipError, match="20 frames"):
        read_track(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
@pytest.mark.parametrize("good", range(4))
def test_a_disk_that_fails_is_not_the_end_of_the_file(tmp_path, studio, monkeypatch, suffix, good):
    """ffmpeg treats an I/O error as the end of the file: a clip would silently lose frames."""
    path = studio.write_video(tmp_path / f"a.{suffix}", 60, size=(160, 160))
    reads = []

    class Failing(io.FileIO):
        def read(self, size=-1):
            reads.append(size)
            if len(reads) > good:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    monkeypatch.setattr(containers, "_BUFFER", 1024)  # x264 makes smaller files on one core
    monkeypatch.setattr("builtins.open", lambda name, *_, **__: Failing(name, "rb"))
    with pytest.raises(OSError, match=rf"Input/output error: '.*a\.{suffix}'"):
        read_frames(path, {0})


def test_pictures_that_take_too_much_memory_are_refused(tmp_path, studio, monkeypatch):
    path = studio.write_video(tmp_path / "a.mkv", 10, pixels="yuv444p10le")
    assert read_frames(path, {0}).frames
    monkeypatch.setattr("lipfd_jax.preprocessing.video.MAX_BYTES_SMALL", 80 * 48 * 6 - 1)
    with pytest.raises(ClipError, match=r"a\.mkv: frames of 80x48 pixels in yuv444p10le, .* up to 1 MB"):
        read_track(path)
    monkeypatch.setattr("lipfd_jax.preprocessing.video.SMALL_FILE", 1000)
    assert read_frames(path, {0}).frames
    monkeypatch.setattr("lipfd_jax.preprocessing.video.MAX_BYTES", 80 * 48 * 6 - 1)
    with pytest.raises(ClipError, match=r"a\.mkv: frames of 80x48 pixels in yuv444p10le, 0 MB each"):
        read_frames(path, {0})


def test_pictures_that_grow_on_the_way_are_refused_before_they_are_decoded(tmp_path, studio, monkeypatch):
    path = tmp_path / "a.ts"
    small = studio.write_video(tmp_path / "small.ts", 20, size=(48, 80)).read_bytes()
    path.write_bytes(small + studio.write_video(tmp_path / "large.ts", 20, size=(160, 160)).read_bytes())
    assert len(read_frames(path, {0}, Damage("keep")).times) == 40
    monkeypatch.setattr("lipfd_jax.preprocessing.video.MAX_BYTES", 8 * 10_000)
    assert len(read_frames(path, {0}, Damage("keep")).times) == 20


def test_threads_are_as_many_as_memory_has_room_for(tmp_path, studio, monkeypatch):
    path = studio.write_video(tmp_path / "a.mp4", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    for room, threads in ((1 << 40, 16), (80 * 48 * 3 // 2 * 3, 3), (1, 1)):
        monkeypatch.setattr("lipfd_jax.preprocessing.video._THREADS_BYTES", room)
        with open_container(path) as container:
            assert find_video_stream(path, container).codec_context.thread_count == threads


def test_the_header_states_a_duration_and_an_unreadable_file_states_none(tmp_path, studio):
    assert read_promised_seconds(studio.write_video(tmp_path / "a.mp4", 12)) == pytest.approx(
        12 / 25, abs=0.05
    )
    (tmp_path / "b.mp4").write_bytes(b"no video")
    assert read_promised_seconds(tmp_path / "b.mp4") == read_promised_seconds(tmp_path / "c.mp4") == 0.0
