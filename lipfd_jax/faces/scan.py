"""Scan of a video of any length in one pass: its faces, scene cuts, mouth motion and damage."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from lipfd_jax.faces.cuts import CutDetector
from lipfd_jax.faces.damaged_frames import DamagedFrames
from lipfd_jax.faces.face_search import SamplePicture, find_faces
from lipfd_jax.faces.finders import Finder
from lipfd_jax.faces.mouths import MouthMeter
from lipfd_jax.faces.thumbnails import Thumbnail, ThumbnailStrip
from lipfd_jax.faces.tracks import Sample
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.clock import FileClock, FrameTimes, Stamp, StreamClock
from lipfd_jax.preprocessing.clock_reading import read_clock
from lipfd_jax.preprocessing.containers import (
    Damage,
    decode_packet,
    demux_packets,
    describe_stream,
    open_container,
)
from lipfd_jax.preprocessing.key_frames import KeyFrameGate, explain_no_frames
from lipfd_jax.preprocessing.pictures import Pictures, read_brightness
from lipfd_jax.preprocessing.stillness import StillMeter
from lipfd_jax.preprocessing.video import check_frame_size, find_video_stream
from lipfd_jax.runtime.read_ahead import read_ahead

SAMPLES_PER_SECOND = 5.0  # frames searched for faces
MAX_HOURS = 12.0
MAX_FRAMES = 3_000_000  # 12 hours at 60 a second are 2.6 million; their data take up to a gigabyte
_THREADED_PIXELS = 600 * 400
_CACHE_BYTES = 64 << 20  # decoded frames; beyond it none are cached: 8 s of AVLips take 15 MB
_WAITING_PIXELS = 4_000_000  # total of the frames that are processed together
_AHEAD_PIXELS = 16_000_000  # total of those that are decoded meanwhile: 24 MB, twice

Progress = Callable[[float, float], None]  # called with the seconds done and those in all


@dataclass(frozen=True)
class Scan:
    """Result of one pass over a video."""

    width: int  # frame width as displayed, pixels
    height: int
    times: np.ndarray  # (frames,) float64, seconds on the file's clock, non-decreasing
    end: float  # display end of the last frame
    samples: tuple[Sample, ...]
    corrupt: int  # number of places that the decoder reports as damaged
    damaged: np.ndarray  # (frames,) bool: damaged, or dependent on damage, until the next key frame
    frozen: np.ndarray  # (frames,) bool: part of a picture that stands still, see StillMeter
    seekable: bool  # times are the file's own; else frames can't be sought, only counted
    bytes: int  # size of the video stream
    thumbnails: tuple[Thumbnail, ...]  # spread evenly over the video, up to 96
    clock: FileClock
    cached_frames: tuple[av.VideoFrame, ...] = ()  # all decoded frames of a small video; else none
    container: str = ""  # ffmpeg's name of the format
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)  # see `containers.describe_stream`

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return len(self.times) / (self.end - float(self.times[0]))

    @property
    def usual_fps(self) -> float:
        """Frames per second where none are missing."""
        return 1 / float(np.median(np.diff(self.boundaries())))

    @property
    def missing_start(self) -> float:
        """Seconds of frames at the beginning that can't be decoded, as no key frame is before them."""
        return max(float(self.times[0]) - self.clock.start, 0.0)

    def boundaries(self) -> np.ndarray:
        """(frames + 1,) float64: frame k is shown from entry k to entry k + 1, on the file's clock."""
        return np.append(self.times, self.end)


def scan_video(
    path: Path,
    find: Finder | None,
    *,
    damage: Damage | None = None,
    progress: Progress | None = None,
    clock: FileClock | None = None,
) -> Scan:
    """Decodes a video once, frame by frame, keeping the frames only if all of them take little memory.

    Args:
      find: the face finder; None to collect only times, cuts and thumbnails.
      damage: policy and record of damage that the decoder reports; by default the video is refused.
      progress: called every second of video.
      clock: the file's, read if it isn't given.

    Raises:
      ClipError: nothing to decode, damage, over 12 hours or 3 million frames, or frames too large.
    """
    damage = damage or Damage()
    clock = clock or read_clock(path)
    with open_container(path) as container:
        stream = find_video_stream(path, container, clock.video)
        if clock.video is None:
            raise ClipError(f"{path}: no video frames; truncated or empty")
        header = {"container": container.format.name, "streams": _describe_streams(container, clock)}
        set_threading(stream)
        scanner, reported = _Scanner(find, clock), 0.0
        decoded = _decode(path, container, stream, damage, scanner)
        gate = KeyFrameGate(path, stream.index, damage)
        pictures = Pictures(path, stream).prepare(gate.watch(decoded))
        with closing(_read_parts(pictures, stream, clock.video)) as parts:
            for frame in chain.from_iterable(parts):
                scanner.add_frame(frame)
                _check_length(path, scanner.seconds, len(scanner.times))
                if progress and scanner.seconds >= reported + 1:
                    reported = scanner.seconds
                    progress(reported, clock.video.end - clock.start)
    if not scanner.times:
        why = "none could be decoded; damaged" if damage.places else "truncated or empty"
        raise ClipError(f"{path}: {explain_no_frames(path, clock.video.index, f'no video frames; {why}')}")
    scanner.damaged.add_places(*range(gate.refused))  # they lack the key frame that they depend on
    return replace(scanner.finish(damage), **header)


def _decode(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    damage: Damage,
    scanner: "_Scanner",
) -> Iterator[av.VideoFrame]:
    """Yields the frames of the stream; notes its bytes, and damage without a time, in the scanner."""
    clock = scanner.clock.video
    assert clock is not None
    stamp = Stamp(clock)
    for packet in demux_packets(path, container, stream):
        scanner.bytes += packet.size
        places, at_seam = damage.places, stamp.correct(packet)
        for frame in decode_packet(path, packet, damage, at_seam=at_seam):
            check_frame_size(path, frame)
            yield frame
        if damage.places > places and clock.counted:
            scanner.note_damage()


def _read_parts(
    pictures: Iterator[av.VideoFrame], stream: av.VideoStream, clock: StreamClock
) -> Generator[list[av.VideoFrame], None, None]:
    """Yields the frames in parts; of large ones, the next part is decoded while one is worked on.

    Not where damage is noted by the number of frames before it.
    """
    pixels = max(stream.width * stream.height, 1)
    if pixels < _THREADED_PIXELS or clock.counted:
        return _split(pictures, 1)
    return read_ahead(_split(pictures, max(1, _AHEAD_PIXELS // pixels)))


def _split(frames: Iterator[av.VideoFrame], count: int) -> Generator[list[av.VideoFrame], None, None]:
    while part := list(islice(frames, count)):
        yield part


def _describe_streams(container: av.container.InputContainer, clock: FileClock) -> dict[str, dict[str, Any]]:
    choices = {"video": clock.video_choice, "audio": clock.audio_choice}
    chosen = {kind: container.streams[choice.index] for kind, choice in choices.items() if choice}
    return {kind: describe_stream(stream) for kind, stream in chosen.items()}


def set_threading(stream: av.VideoStream) -> None:
    """Decodes large frames with several threads; small ones are decoded faster by one."""
    large = stream.width * stream.height >= _THREADED_PIXELS
    stream.thread_type = "AUTO" if large else "NONE"


def _check_length(path: Path, seconds: float, frames: int) -> None:
    if seconds > MAX_HOURS * 3600:
        raise ClipError(f"{path}: lasts over {MAX_HOURS:.0f} hours; cut it into shorter videos")
    if frames > MAX_FRAMES:
        raise ClipError(f"{path}: over {MAX_FRAMES} frames; cut it into shorter videos")


class _Scanner:
    """Processes the frames of a video one by one."""

    def __init__(self, find: Finder | None, clock: FileClock):
        assert clock.video is not None  # there is a picture
        self.find, self.clock, self.step = find, clock, clock.video.step
        self.times: list[float] = []
        self.samples: list[Sample] = []
        self.bytes = 0
        self._shown, self._has_times = FrameTimes(clock.video), clock.video.is_plain
        self.damaged = DamagedFrames()
        self.size = (0, 0)
        self._due = -np.inf  # time of the next sample
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._strip, self._cuts, self._still = ThumbnailStrip(), CutDetector(), StillMeter()
        self._cached: list[av.VideoFrame] = []
        self._free_bytes = _CACHE_BYTES  # bytes left for more of them
        self._waiting: list[tuple[int, av.VideoFrame, bool]] = []  # number, frame, whether a sample is due
        self._open: Sample | None = None  # the latest sample ...
        self._mouths = MouthMeter(())  # ... whose mouths are being measured

    @property
    def seconds(self) -> float:
        """Duration of the video so far."""
        return self.times[-1] - self.times[0] if self.times else 0.0

    def add_frame(self, frame: av.VideoFrame) -> None:
        """Records a frame's time; searches it for faces if a sample is due; measures mouths in all frames."""
        number = len(self.times)
        self.damaged.add_frame(number, frame)
        self._has_times &= frame.time is not None
        self.times.append(self._shown.take(frame))
        self._cache_frame(frame)
        due = self.times[-1] >= self._due
        if due:
            self._due = self.times[-1] + 1 / SAMPLES_PER_SECOND - self.step / 2
        self._waiting.append((number, frame, due))
        if len(self._waiting) * frame.width * frame.height >= _WAITING_PIXELS:
            self._process_waiting()

    def _process_waiting(self) -> None:
        """Processes waiting frames step by step, which is faster than alternating with decoding."""
        grey = [(number, read_brightness(frame, self._reformatter)) for number, frame, _ in self._waiting]
        samples = {}
        for (number, brightness), (_, frame, due) in zip(grey, self._waiting, strict=True):
            self._cuts.add_frame(brightness)
            self._still.add_frame(brightness)
            if due:
                picture = SamplePicture(frame, brightness, self._reformatter)
                self._strip.add_frame(self.times[number], picture.small)
                samples[number] = picture, self._is_new_scene(number, picture)
        found = {
            number: Sample(number, self.times[number], find_faces(self.find, picture), changed)
            for number, (picture, changed) in samples.items()
        }
        for number, brightness in grey:
            if number in found:
                self._close_sample()
                self._open, self._mouths = found[number], MouthMeter(found[number].faces)
            self._mouths.measure(brightness)
        self._waiting.clear()

    def note_damage(self) -> None:
        """Records damage between frames that has no timestamp."""
        self.damaged.add_places(max(len(self.times) - 1, 0))

    def finish(self, damage: Damage) -> Scan:
        """Returns the scan, with damaged places."""
        self._process_waiting()
        self._close_sample()
        times, clock = np.asarray(self.times), self.clock.video
        assert clock is not None
        whole = len(times) == len(clock.slots) and clock.end > times[-1]
        end = clock.end if whole else float(times[-1]) + self.step
        width, height = self.size
        return Scan(
            width=width,
            height=height,
            times=times,
            end=end,
            samples=tuple(self.samples),
            corrupt=damage.places,
            damaged=self.damaged.find_affected(times, [] if clock.counted else damage.times),
            frozen=self._still.find_frozen(np.append(times, end)),
            seekable=self._has_times,
            bytes=self.bytes,
            thumbnails=tuple(self._strip.thumbnails),
            clock=self.clock,
            cached_frames=tuple(self._cached),
        )

    def _cache_frame(self, frame: av.VideoFrame) -> None:
        if self._free_bytes < 0:
            return
        self._cached.append(frame)
        self._free_bytes -= sum(plane.buffer_size for plane in frame.planes)
        if self._free_bytes < 0:
            self._cached.clear()

    def _is_new_scene(self, number: int, picture: SamplePicture) -> bool:
        """Whether the scene has changed since the previous sample."""
        changed = self._cuts.add_sample(picture.small)
        if picture.size != self.size:
            changed, self.size = number > 0, picture.size
        return changed

    def _close_sample(self) -> None:
        if self._open:
            self.samples.append(replace(self._open, mouths=self._mouths.measured))
