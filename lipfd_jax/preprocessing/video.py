"""Frames of a video: display times, and selected frames as RGB, decoded in one pass.

PyAV decodes for both window conventions. Its frames equal OpenCV's, which the released code uses, to the bit
(checked on H.264, HEVC, MPEG-4 and MPEG-1 clips, even and odd sizes, 8 and 10 bit, 4:2:0 and 4:4:4, with
rotation), and unlike OpenCV it gives timestamps, sound and reasons for its failures.
"""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.clock import FileClock, FrameTimes, StreamClock
from lipfd_jax.preprocessing.clock_reading import read_clock, read_open_clock
from lipfd_jax.preprocessing.composite import resize_to_tile
from lipfd_jax.preprocessing.containers import (
    MAX_PIXELS,
    SMALL_FILE,
    Damage,
    check_seconds,
    decode_frames,
    open_container,
)
from lipfd_jax.preprocessing.key_frames import KeyFrameGate, explain_no_frames
from lipfd_jax.preprocessing.pictures import Pictures, read_brightness, to_rgb
from lipfd_jax.preprocessing.stillness import StillMeter
from lipfd_jax.preprocessing.stream_choice import choose_video
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, TrackRequest
from lipfd_jax.vocabulary import TILE, WindowConvention

MAX_FRAMES = 1_000_000
MAX_BYTES = 64 << 20  # largest decoded frame; a decoder may hold seventeen of them, and more with threads
MAX_BYTES_SMALL = 24 << 20  # for small files: 3840x2160 in 10-bit 4:2:0, or 4096x4096 in 8-bit 4:2:0
_MAX_BITS = 64  # per pixel in any format
_THREADS_BYTES = 256 << 20  # frames that a decoder's threads may process at once
_MAX_THREADS = 16
FramePerturbation = Callable[[np.ndarray], np.ndarray]  # takes a frame (height, width, 3) uint8 RGB


@dataclass(frozen=True)
class VideoTrack:
    """Display times of a video's frames."""

    times: np.ndarray  # (n,) float64, seconds on the file's clock, non-decreasing
    end: float  # display end of the last frame, seconds
    opencv_count: int  # frames that OpenCV reports, by the file's header; the released code relies on it
    clock: FileClock

    @property
    def index(self) -> int:
        """Index of its stream in the file."""
        assert self.clock.video is not None  # see `read_track`
        return self.clock.video.index

    @property
    def seconds(self) -> float:
        """Duration of the video."""
        return self.end - float(self.times[0])

    @property
    def fps(self) -> float:
        """Average frames per second, by timestamps, as headers are unreliable for variable rates."""
        return round(len(self.times) / self.seconds, 6)

    def boundaries(self) -> np.ndarray:
        """(n + 1,) float64: frame k is shown from entry k to entry k + 1."""
        return np.append(self.times, self.end)

    def with_times(self, times: Sequence[float]) -> "VideoTrack":
        """Returns the track with the frames that decoding produced."""
        shown = np.asarray(times, float)
        return replace(self, times=shown, end=float(shown[-1]) + 1 / self.fps)


def read_track(path: Path, request: TrackRequest = NO_REQUEST) -> VideoTrack:
    """Reads the timestamps of a video from its packets, without decoding; chooses its tracks.

    Raises ClipError if there is no video stream, no frame, more than `MAX_SECONDS` or `MAX_FRAMES`, or if the
    file ends earlier than its header declares.
    """
    with open_container(path) as container:
        stream = find_video_stream(path, container, request=request)
        clock = read_open_clock(path, container, request)
        count = _opencv_count(container, stream)
    if clock.video is None:
        raise ClipError(f"{path}: no video frames; truncated or empty")
    if len(clock.video.slots) > MAX_FRAMES:
        raise ClipError(f"{path}: over {MAX_FRAMES} frames; cut it into shorter clips")
    track = VideoTrack(clock.video.slots, clock.video.end, count, clock)
    check_seconds(path, track.seconds)
    if clock.missing:
        found = clock.promised - clock.missing
        raise ClipError(f"{path}: truncated after {found:.2f} of {clock.promised:.2f} seconds")
    return track


@dataclass(frozen=True)
class DecodedFrames:
    """Selected frames of a video, and what is known of all frames."""

    frames: dict[int, np.ndarray]  # number in display order -> (height, width, 3) uint8 RGB
    times: tuple[float, ...]  # when all frames are shown; seconds on the file's clock
    frozen: np.ndarray  # (n,) bool, for all frames: part of a picture that stands still, see StillMeter


def read_frames(
    path: Path,
    wanted: Collection[int],
    damage: Damage | None = None,
    perturbation: FramePerturbation | None = None,
    *,
    whole: bool = False,
    convention: WindowConvention = "paper",
    clock: StreamClock | None = None,
) -> DecodedFrames:
    """Returns the wanted frames of a video, decoding it once from beginning to end.

    Frames are as `pictures.to_rgb` shows them in this convention; those of more than 500x500 pixels are
    resized to 500x500 immediately, as the composite needs them, unless `whole`. Before that, `perturbation`
    may replace a frame by another of the same size. `damage` is as for `decode_frames`. `clock` is the
    file's, read if it isn't given. Raises ClipError.
    """
    wanted = frozenset(wanted)
    images: dict[int, np.ndarray] = {}
    times: list[float] = []
    clock = clock or read_clock(path).video
    meter = StillMeter()
    with open_container(path) as container:
        stream = find_video_stream(path, container, clock)
        if clock is None:
            raise ClipError(f"{path}: no video frames; truncated or empty")
        shown = FrameTimes(clock)
        reformatter = av.video.reformatter.VideoReformatter()
        damage = damage or Damage()
        decoded = decode_frames(path, container, stream, damage, clock)
        decoded = KeyFrameGate(path, stream.index, damage).watch(decoded)
        for frame in Pictures(path, stream, convention).prepare(decoded):
            check_frame_size(path, frame)
            meter.add_frame(read_brightness(frame, reformatter))
            if len(times) in wanted:
                image = to_rgb(frame, reformatter, convention)
                image = image if perturbation is None else perturbation(image)
                images[len(times)] = image if whole else shrink_to_tile(image)
            times.append(shown.take(frame))
    if not times:
        why = explain_no_frames(path, clock.index, "none of its frames can be decoded")
        raise ClipError(f"{path}: {why}")
    bounds = np.array([*times, max(clock.end, *times[-1:])])
    return DecodedFrames(images, tuple(times), meter.find_frozen(bounds))


def shrink_to_tile(frame: np.ndarray) -> np.ndarray:
    """Resizes a frame of more than 500x500 pixels to 500x500, as the composite needs it."""
    return resize_to_tile(frame) if frame.shape[0] * frame.shape[1] > TILE * TILE else frame


def find_video_stream(
    path: Path,
    container: av.container.InputContainer,
    clock: StreamClock | None = None,
    request: TrackRequest = NO_REQUEST,
) -> av.VideoStream:
    """Returns the stream to read, with limits on its decoder's frame size and threads.

    With a clock, it is the clock's, else the one that `choose_video` chooses. Raises ClipError if there is
    none, or if its frames are too large or have no size.
    """
    index = clock.index if clock else choose_video(path, container, request).index
    stream = cast(av.VideoStream, container.streams[index])
    context = stream.codec_context
    if not context.width * context.height:  # also set by ffmpeg for sizes beyond `MAX_PIXELS`
        reason = f"the size of its frames is over {MAX_PIXELS // 10**6} million pixels, or can't be read"
        raise ClipError(f"{path}: {explain_no_frames(path, index, reason)}")
    check_frame_size(path, context)
    # Frames may become larger later, or change format: the decoder then refuses them itself.
    most = max(context.width * context.height, MAX_BYTES * 8 // _MAX_BITS)
    context.options = {"max_pixels": str(most)}
    context.thread_count = min(
        os.cpu_count() or 1, _MAX_THREADS, max(_THREADS_BYTES // max(_frame_bytes(context), 1), 1)
    )
    return stream


def check_frame_size(path: Path, frame: av.VideoFrame | av.VideoCodecContext) -> None:
    """Raises ClipError for frames that exceed our memory limits, or those of a small file."""
    size = f"{path}: frames of {frame.width}x{frame.height}"
    if frame.width * frame.height > MAX_PIXELS:
        raise ClipError(f"{size} pixels, expected at most {MAX_PIXELS // 10**6} million")
    taken = _frame_bytes(frame)
    if taken <= MAX_BYTES_SMALL:
        return
    form = frame.format.name if frame.format else "an unknown format"
    size += f" pixels in {form}, {taken >> 20} MB each, expected at most"
    if taken > MAX_BYTES:
        raise ClipError(f"{size} {MAX_BYTES >> 20}")
    if path.stat().st_size <= SMALL_FILE:
        raise ClipError(f"{size} {MAX_BYTES_SMALL >> 20} in a file of up to 1 MB")


def _frame_bytes(frame: av.VideoFrame | av.VideoCodecContext) -> int:
    """Returns the bytes of a decoded frame; of the largest format if its format is unknown."""
    bits = frame.format.padded_bits_per_pixel if frame.format else _MAX_BITS
    return frame.width * frame.height * bits // 8


def _opencv_count(container: av.container.InputContainer, stream: av.VideoStream) -> int:
    """Computes CAP_PROP_FRAME_COUNT: the header's number of frames, else duration times rate."""
    if stream.frames:
        return stream.frames
    if container.duration is not None:
        seconds = Fraction(container.duration, av.time_base)
    else:
        seconds = (stream.duration or 0) * stream.time_base
    return int(seconds * (stream.guessed_rate or 0) + Fraction(1, 2))
