"""Containers that are read, and true words for those that are not."""

from fractions import Fraction

import av
import numpy as np
import pytest

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.audio import read_sound
from lipfd_jax.preprocessing.containers import open_container

_FRAMES = 10
_CONTAINERS = {  # suffix: format, codecs of picture and sound, size, channels
    "mxf": ("mxf", "mpeg2video", "pcm_s16le", (64, 64), "mono"),
    "dv": ("dv", "dvvideo", "pcm_s16le", (720, 576), "stereo"),
    "wtv": ("wtv", "mpeg2video", "mp2", (64, 64), "mono"),
    "rm": ("rm", "rv10", "ac3", (64, 64), "mono"),
    "caf": ("caf", None, "pcm_s16le", None, "mono"),
    "au": ("au", None, "pcm_s16be", None, "mono"),
    "ac3": ("ac3", None, "ac3", None, "mono"),
    "nut": ("nut", "mpeg4", "mp2", (64, 64), "mono"),
    "ivf": ("ivf", "libvpx", None, (64, 64), "mono"),
    "h264": ("h264", "libx264", None, (64, 64), "mono"),
}


@pytest.fixture
def contained(tmp_path):
    """contained(suffix): the path of a short clip or sound in that container."""

    def write(suffix):
        form, codec, sound, size, layout = _CONTAINERS[suffix]
        path = tmp_path / f"clip.{suffix}"
        with av.open(str(path), "w", format=form) as container:
            stream = container.add_stream(codec, rate=25) if codec else None
            track = container.add_stream(sound, rate=48000, layout=layout) if sound else None
            for level in range(_FRAMES) if stream else ():
                if not level:
                    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                picture = np.full((*size[::-1], 3), 20 * level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
            container.mux(stream.encode() if stream else [])
            container.mux(_encode(track, layout) if track else [])
        return path

    return write


def _encode(track, layout):
    wave = (8000 * np.sin(np.arange(19200) / 20)).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, 1 + (layout == "stereo"), 1), "s16", layout)
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    context = track.codec_context
    fit = av.AudioResampler(context.format, layout, 48000, context.frame_size or None)
    return [packet for part in [*fit.resample(frame), None] for packet in track.encode(part)]


@pytest.mark.parametrize("suffix", ["mxf", "dv", "wtv", "rm"])
def test_containers_of_broadcasters_and_old_cameras_are_read(contained, suffix):
    path = contained(suffix)
    with open_container(path) as container:
        assert sum(1 for _ in container.decode(video=0)) == _FRAMES
    assert len(read_sound(path).samples) == pytest.approx(0.4 * 22050, rel=0.05)


@pytest.mark.parametrize("suffix", ["caf", "au", "ac3"])
def test_sound_of_other_programs_is_read(contained, suffix):
    assert len(read_sound(contained(suffix)).samples) == pytest.approx(0.4 * 22050, rel=0.05)


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [
        (
            "nut",
            r"can't be decoded: NUT, a video of a kind that is not read here: convert it, as with ffmpeg",
        ),
        ("ivf", r"can't be decoded: IVF, a video of a kind that is not read here"),
        ("h264", r"can't be decoded: H\.264 without a container, which has no sound"),
    ],
)
def test_containers_that_are_not_read_are_not_called_damaged(contained, suffix, reason):
    with pytest.raises(ClipError, match=reason), open_container(contained(suffix)):
        pass


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nsecret.ts\n", "not a video: a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not a video: text"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n", "not a video: text"),
        (b"<!doctype html><html>404</html>", "not a video: a web page"),
        (b"GIF89a" + bytes(range(200)), "not a video: a picture"),
    ],
)
def test_what_can_name_other_files_is_not_opened(tmp_path, content, reason):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ClipError, match=reason), open_container(path):
        pass


def test_an_mp4_without_its_index_is_unfinished(film, tmp_path):
    path = film(tmp_path / "a.mp4", np.zeros((5, 64, 64, 3), np.uint8))
    data = path.read_bytes()
    for end in (data.index(b"moov") - 4, data.index(b"mdat") + 40):
        path.write_bytes(data[:end])
        reason = r"its index .moov. is missing: the recording, copy or download"
        with pytest.raises(ClipError, match=reason), open_container(path):
            pass
