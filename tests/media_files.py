"""Writes media files for tests with PyAV alone: any container, codec, clock and number of tracks."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

_TS_PACKET = 188  # bytes
_CLOCK = Fraction(1, 60000)  # holds the times of 24, 25, 29.97, 30, 50 and 60 frames a second exactly
_X264 = {"preset": "veryfast", "crf": "16"}
_STRAIGHT = {**_X264, "bf": "0"}  # no B-frames
_VPX = {
    "deadline": "realtime",
    "cpu-used": "8",
    "threads": "1",
}  # with more threads small pictures take seconds


@dataclass(frozen=True)
class Form:
    """Container and codecs of a file."""

    suffix: str
    video: str  # PyAV's names of the encoders
    audio: str
    rate: int = 44100  # sample rate of sound
    size: tuple[int, int] | None = None  # (width, height) where the codec takes few
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)  # of the video encoder
    container: Mapping[str, str] = field(default_factory=dict)  # options of the muxer
    muxer: str | None = None  # None: by the suffix
    bit_rate: int = 2_000_000  # of the video


FORMS = {
    "mp4": Form("mp4", "libx264", "aac", options=_X264),
    "mp4 fragmented": Form(
        "mp4", "libx264", "aac", options=_X264, container={"movflags": "frag_keyframe+empty_moov+delay_moov"}
    ),
    "mp4 hevc": Form("mp4", "libx265", "aac", options={"preset": "ultrafast", "x265-params": "log-level=0"}),
    "mov": Form("mov", "libx264", "pcm_s16be", options=_X264),
    "mkv": Form("mkv", "libx264", "aac", options=_X264),
    "mkv lossless": Form("mkv", "ffv1", "flac"),
    "webm vp8": Form("webm", "libvpx", "libopus", 48000, options=_VPX),
    "webm vp9": Form("webm", "libvpx-vp9", "libopus", 48000, options=_VPX),
    "ogv": Form("ogv", "libvpx", "libopus", 48000, options=_VPX, muxer="ogg"),
    "avi mpeg4": Form("avi", "mpeg4", "pcm_s16le"),
    "avi mpeg4 B-frames": Form("avi", "mpeg4", "pcm_s16le", options={"bf": "2"}),
    "avi h264": Form("avi", "libx264", "pcm_s16le", options=_STRAIGHT),
    "avi h264 B-frames": Form("avi", "libx264", "pcm_s16le", options={**_X264, "bf": "2"}),
    "avi mjpeg": Form("avi", "mjpeg", "pcm_s16le", pixels="yuvj420p", bit_rate=6_000_000),
    "mpg mpeg2": Form("mpg", "mpeg2video", "mp2", options={"bf": "2"}),
    "mpg mpeg1": Form("mpg", "mpeg1video", "mp2", muxer="mpeg"),
    "ts h264": Form("ts", "libx264", "aac", options=_X264),
    "ts mpeg2": Form("ts", "mpeg2video", "mp2", options={"bf": "2"}),
    "m2ts": Form(
        "m2ts", "libx264", "ac3", options=_X264, container={"mpegts_m2ts_mode": "1"}, muxer="mpegts"
    ),
    "flv h264": Form("flv", "libx264", "aac", options=_X264),
    "flv flv1": Form("flv", "flv", "libmp3lame"),
    "3gp": Form("3gp", "h263", "aac", size=(352, 288)),
    "wmv": Form("wmv", "wmv2", "wmav2", muxer="asf"),
    "mxf": Form("mxf", "mpeg2video", "pcm_s16le", 48000, size=(720, 576), bit_rate=8_000_000),
}


@dataclass(frozen=True)
class Pictures:
    """A video stream to write."""

    frames: Sequence[np.ndarray]  # (height, width, 3) uint8 RGB each
    times: Sequence[float] | None = None  # seconds of each; None: even steps
    fps: float | Fraction = 25
    start: float = 0.0  # seconds on the file's clock, added to the times
    codec: str | None = None  # None: the form's
    default: bool | None = None  # whether it is flagged as the track to play; None: left to the muxer
    pixels: str | None = None  # None: the form's
    cover: bool = False  # flagged as a cover picture

    def list_times(self) -> list[float]:
        """Seconds on the file's clock of each frame."""
        times = (
            [number / self.fps for number in range(len(self.frames))] if self.times is None else self.times
        )
        return [float(time) + self.start for time in times]


@dataclass(frozen=True)
class Sounds:
    """A sound track to write."""

    samples: np.ndarray  # (n,) or (channels, n) float32, -1 to 1
    rate: int = 44100
    start: float = 0.0  # seconds on the file's clock of the first sample
    codec: str | None = None  # None: the form's
    layout: str = ""  # ffmpeg's name of the channels; "": mono, stereo, 5.1 by their number
    language: str = ""
    title: str = ""
    default: bool | None = None


Stream = Pictures | Sounds


def write_streams(path: Path, streams: Sequence[Stream], form: Form = FORMS["mp4"]) -> Path:
    """Writes a file of streams, in this order, with packets interleaved by time."""
    with av.open(str(path), "w", format=form.muxer, options=dict(form.container)) as container:
        writers = [_Writer(container, stream, form) for stream in streams]
        packets = [writer.encode() for writer in writers]  # before the header is written
        count = itertools.count()
        for packet in _interleave(packets):
            if form.suffix == "avi" and packet.stream.type == "video":
                packet.pts = packet.dts = next(count)  # AVI holds an order, and gaps where times leap
                packet.time_base = 1 / packet.stream.average_rate
            container.mux(packet)
    return path


def write_wav(path: Path, samples: np.ndarray, rate: int = 44100) -> Path:
    """Writes samples (n,) or (channels, n) as a wav of 16 bits."""
    return write_streams(path, [Sounds(samples, rate, codec="pcm_s16le")], Form("wav", "", "pcm_s16le"))


class _Writer:
    """Encodes one stream of a file."""

    def __init__(self, container: av.container.OutputContainer, given: Stream, form: Form):
        self._given, self._form = given, form
        if isinstance(given, Pictures):
            self.stream = _add_video(container, given, form)
        else:
            self.stream = _add_audio(container, given, form)
            tags = {"language": given.language, "title": given.title}
            self.stream.metadata.update({name: value for name, value in tags.items() if value})
        if isinstance(given, Pictures) and given.cover:
            self.stream.disposition = av.stream.Disposition.attached_pic
        elif given.default is not None:
            self.stream.disposition = av.stream.Disposition.default if given.default else 0

    def encode(self) -> list[av.Packet]:
        """Returns all packets."""
        frames = self._video_frames() if isinstance(self._given, Pictures) else [self._audio_frame()]
        packets = [packet for frame in frames for packet in self.stream.encode(frame)]
        return [*packets, *self.stream.encode()]

    def _video_frames(self) -> Iterable[av.VideoFrame]:
        clock = self.stream.codec_context.time_base
        for picture, time in zip(self._given.frames, self._given.list_times(), strict=True):
            if self._form.size:
                picture = cv2.resize(picture, self._form.size)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=self.stream.pix_fmt)
            frame.pts, frame.time_base = round(time / clock), clock
            yield frame

    def _audio_frame(self) -> av.AudioFrame:
        samples = np.atleast_2d(np.float32(self._given.samples))
        packed = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=_layout(self._given))
        frame.sample_rate, frame.time_base = self._given.rate, Fraction(1, self._given.rate)
        frame.pts = round(self._given.start * self._given.rate)
        return frame


def _add_video(container: av.container.OutputContainer, given: Pictures, form: Form) -> av.VideoStream:
    fps = Fraction(given.fps).limit_denominator(1001)
    options = {} if given.codec else dict(form.options)
    stream = container.add_stream(given.codec or form.video, rate=fps, options=options)
    height, width = given.frames[0].shape[:2]
    stream.width, stream.height = form.size or (width, height)
    stream.pix_fmt, stream.bit_rate = given.pixels or form.pixels, form.bit_rate
    even = given.times is None and (given.start * fps).is_integer()
    stream.codec_context.time_base = 1 / fps if even else _CLOCK
    return stream


def _add_audio(container: av.container.OutputContainer, given: Sounds, form: Form) -> av.AudioStream:
    stream = container.add_stream(given.codec or form.audio, rate=given.rate, layout=_layout(given))
    stream.bit_rate = 128_000 * max(1, np.atleast_2d(given.samples).shape[0] // 2)
    return stream


def _layout(given: Sounds) -> str:
    channels = np.atleast_2d(given.samples).shape[0]
    return given.layout or {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[channels]


def _interleave(packets: Sequence[Sequence[av.Packet]]) -> Iterable[av.Packet]:
    def seconds(packet: av.Packet) -> float:
        time = packet.dts if packet.dts is not None else packet.pts
        return float((time or 0) * packet.time_base)

    return sorted(itertools.chain(*packets), key=seconds)


def join_files(path: Path, parts: Sequence[Path]) -> Path:
    """Joins files byte by byte, as `cat` and camcorders do."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def join_ts(path: Path, parts: Sequence[Path]) -> Path:
    """Joins transport streams, with packet counters that continue, so that no decoder reports a loss."""
    data = bytearray(b"".join(part.read_bytes() for part in parts))
    counters: dict[int, int] = {}
    for at in range(0, len(data), _TS_PACKET):
        stream = int.from_bytes(data[at + 1 : at + 3]) & 0x1FFF
        if data[at + 3] & 0x10:  # has a payload
            counters[stream] = (counters.get(stream, -1) + 1) % 16
        data[at + 3] = data[at + 3] & 0xF0 | counters.get(stream, 0)
    path.write_bytes(data)
    return path


def remove_time(path: Path, number: int) -> Path:
    """Removes the time of one frame, in order of decoding, from a transport stream, as encoders may."""
    data = bytearray(path.read_bytes())
    starts = [at for at in range(0, len(data), _TS_PACKET) if data[at + 1] & 0x40]  # a packet begins here
    heads = [at + 4 + (data[at + 3] & 0x20 and data[at + 4] + 1) for at in starts]
    frames = [head for head in heads if data[head : head + 4] == b"\0\0\1\xe0"]
    header = frames[number]
    data[header + 7] &= 0x3F  # says that neither PTS nor DTS follow ...
    data[header + 9 : header + 9 + data[header + 8]] = b"\xff" * data[header + 8]  # ... but stuffing
    path.write_bytes(data)
    return path
