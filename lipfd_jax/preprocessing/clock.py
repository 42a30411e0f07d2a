"""The one clock of a video file: corrected times of its pictures and its sound, for all who read it."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from lipfd_jax.preprocessing.channels import MEAN
from lipfd_jax.preprocessing.track_choices import AudioChoice, VideoChoice

_OUTLIER = 5.0  # seconds that a frame's time may lie before the latest one; beyond it is no time at all


@dataclass(frozen=True)
class StreamClock:
    """Corrected times of one stream. Ticks are in the stream's time base."""

    index: int  # of the stream in its container
    firsts: tuple[int, ...]  # number of the first packet of each recording in the file; the first is 0
    ticks: tuple[int, ...]  # for each recording: added to the times of its packets
    slots: np.ndarray  # (n,) float64 seconds: when its packets are presented, non-decreasing
    end: float  # when the last one ends, seconds
    step: float  # usual duration of a packet, seconds
    counted: bool  # without presentation times: the k-th frame is shown at the k-th slot
    seams: frozenset[int]  # numbers of the packets where one recording ends and the next begins
    channel: str = MEAN  # of sound: the channel that is read, see `channels.take_channel`

    @property
    def is_plain(self) -> bool:
        """Whether the file's own times are used as they are."""
        return self.ticks == (0,) and not self.counted


@dataclass(frozen=True)
class FileClock:
    """Corrected times of a file's picture and sound, both on one clock."""

    video: StreamClock | None  # None: no such stream, or no packet in it
    audio: StreamClock | None
    joins: tuple[float, ...]  # seconds at which another recording begins
    undecided: tuple[tuple[float, float], ...]  # stretches in which picture and sound contradict each other
    promised: float  # seconds of the video by the file's header; 0 where it states none
    missing: float  # seconds of them that the file lacks at its end; 0 for a whole file
    unread: int  # bytes after the last packet, where they are more than an index; else 0
    video_choice: VideoChoice | None = None  # which stream it is; None: the file has none
    audio_choice: AudioChoice | None = None

    @property
    def start(self) -> float:
        """When the first frame is shown, seconds; 0 without a picture."""
        return 0.0 if self.video is None else float(self.video.slots[0])


class Stamp:
    """Gives the packets of a stream, passed in the file's order from its beginning, their corrected times."""

    def __init__(self, clock: StreamClock):
        self._clock, self._number, self._recording = clock, -1, 0

    def correct(self, packet: av.Packet) -> bool:
        """Corrects a packet's times; returns whether it is at a seam.

        There transport streams mark packets as corrupt, as their counters start anew.
        """
        if not packet.size:  # the end of the stream
            return False
        self._number += 1
        firsts = self._clock.firsts
        while self._recording + 1 < len(firsts) and firsts[self._recording + 1] <= self._number:
            self._recording += 1
        if ticks := self._clock.ticks[self._recording]:
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return self._number in self._clock.seams


class FrameTimes:
    """Times of a stream's frames, which a decoder returns in the order they are shown."""

    def __init__(self, clock: StreamClock):
        self._clock, self._count, self._latest = clock, 0, -np.inf

    def take(self, frame: av.VideoFrame) -> float:
        """Returns when the next frame is shown, seconds; never before the previous one.

        A missing or impossible time is that of the next packet that has none yet.
        """
        slots, step, time = self._clock.slots, self._clock.step, frame.time
        if self._clock.counted:
            time = float(slots[self._count]) if self._count < len(slots) else self._latest + step
        elif time is None or not self._latest - _OUTLIER < time <= self._clock.end + step:
            after = int(np.searchsorted(slots, self._latest + step / 4))
            time = float(slots[after]) if after < len(slots) else self._latest + step
        self._count += 1
        self._latest = max(time, self._latest)
        return self._latest


def to_ticks(seconds: float, time_base: Fraction) -> int:
    """Rounds seconds to ticks of a stream."""
    return round(seconds / float(time_base))
