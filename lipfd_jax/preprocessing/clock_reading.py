"""Reads the clock of a video file in a pass over its packets, without decoding.

It finds where joined recordings begin, which times are missing, and whether the file is whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np

from lipfd_jax.preprocessing.clock import FileClock, StreamClock, to_ticks
from lipfd_jax.preprocessing.containers import open_container
from lipfd_jax.preprocessing.joins import Join, find_audio_breaks, find_video_breaks, pair_breaks
from lipfd_jax.preprocessing.packets import (
    NO_PACKETS,
    FilePackets,
    PacketTimes,
    collect_packets,
    fill_times,
)
from lipfd_jax.preprocessing.stream_choice import choose_audio, choose_video
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, MissingStream, TrackRequest

Choice = TypeVar("Choice")
_FALLBACK_RATE = 25  # frames per second of files with neither timestamps nor a rate
_FALLBACK_PIECE = 0.02  # seconds of a packet of sound that states none
_COUNTED = ("avi",)  # containers without presentation times: what ffmpeg gives are guesses
_TRANSPORT = ("mpegts", "mpeg")  # store decode times, and no duration: ffmpeg estimates one
_MAX_HOURS_AHEAD = 1.0  # a longer leap ahead is another clock, not a pause
_SEAM = 3  # packets before and after the beginning of a recording that may be marked as corrupt there
_OVERLAP = 0.05  # seconds by which a recording may begin before the last one ends
# Of a file after its last packet: more is no index, but another file that was appended to it.
_UNREAD_SHARE, _UNREAD_BYTES = 0.1, 30_000
_SHORT_STREAM, _SHORT_FILE = 0.1, 0.5  # seconds that may be missing, by the duration of a stream or the file


def read_clock(path: Path, request: TrackRequest = NO_REQUEST) -> FileClock:
    """Chooses a file's video stream and sound track, and reads their clock from its packets.

    Raises ClipError if it can't be opened, or lacks a track that is asked for. A missing stream has no clock.
    """
    with open_container(path) as container:
        return read_open_clock(path, container, request)


def read_open_clock(
    path: Path, container: av.container.InputContainer, request: TrackRequest = NO_REQUEST
) -> FileClock:
    """Reads the clock of an open file, as `read_clock`; the container is then at its end.

    Raises ClipError for more than `packets.MAX_PACKETS`.
    """
    video_choice = _choose(choose_video, path, container, request)
    audio_choice = _choose(choose_audio, path, container, request)
    choices = (video_choice, audio_choice)
    streams = [None if choice is None else container.streams[choice.index] for choice in choices]
    packets, kind = collect_packets(path, container, streams), container.format.name
    lines = {
        name: _Line(stream, times, counted=name == "video" and kind in _COUNTED)
        for name, stream, times in zip(("video", "audio"), streams, packets.streams, strict=True)
        if stream is not None and times is not None
    }
    places, undecided = _join_recordings(lines, _find_joins(lines, kind))
    video, audio = (lines[name].make_clock() if name in lines else None for name in ("video", "audio"))
    if audio is not None and audio_choice is not None:
        audio = replace(audio, channel=audio_choice.channel)
    promised, missing = _measure_length(container, streams[0], video, packets)
    return FileClock(
        video, audio, places, undecided, promised, missing, _count_unread(path, packets.bytes), *choices
    )


def _choose(
    choose: Callable[..., Choice], path: Path, container: av.container.InputContainer, request: TrackRequest
) -> Choice | None:
    try:
        return choose(path, container, request)
    except MissingStream:
        return None


class _Line:
    """Times of one stream while its recordings are put one after the other."""

    def __init__(self, stream: av.stream.Stream, times: PacketTimes, *, counted: bool):
        self.stream, self.times = stream, times
        known = times.shown[~np.isnan(times.shown)]
        same = len(times.shown) > 1 and len(np.unique(known)) == 1  # one time for all is none
        self.counted = counted or not len(known) or same
        self.base, self.step = Fraction(stream.time_base), _guess_step(stream, times)
        self.firsts, self.ticks, self.seams = [0], [0], _find_restarts(stream, times)

    def find_span(self, first: int, last: int | None) -> tuple[float, float]:
        """Start and end of the packets first to last - 1, by the file; infinite where no time is known."""
        shown = self.times.shown[first:last]
        known = ~np.isnan(shown)
        if not known.any():
            return np.inf, -np.inf
        ends = shown + self.times.durations[first:last]
        return float(shown[known].min()), float(ends[known].max())

    @property
    def shift(self) -> float:
        """Seconds added to the times of the latest recording."""
        return self.ticks[-1] * float(self.base)

    def begin_recording(self, first: int, shift: float) -> None:
        """Lets a recording begin at a packet, with `shift` seconds added to its times."""
        self.firsts.append(first)
        self.ticks.append(to_ticks(shift, self.base))
        if self.times.keys[first]:  # else what is incomplete there is missing
            self.seams |= set(range(first - _SEAM, first + _SEAM))

    def make_clock(self) -> StreamClock | None:
        """The stream's clock; None where nothing of it is shown."""
        slots, end = self._place_packets()
        if not len(slots):
            return None
        return StreamClock(
            self.stream.index,
            tuple(self.firsts),
            tuple(self.ticks),
            slots,
            end,
            self.step,
            self.counted,
            frozenset(self.seams),
        )

    def _place_packets(self) -> tuple[np.ndarray, float]:
        """When packets are presented, in order, and the end of the last one, by its duration or the usual."""
        slots, end = [np.zeros(0)], 0.0
        lasts = [*self.firsts[1:], len(self.times.shown)]
        for first, last, ticks in zip(self.firsts, lasts, self.ticks, strict=True):
            some = np.flatnonzero(~self.times.discarded[first:last]) + first
            if not len(some):
                continue
            shown = np.full(len(some), np.nan) if self.counted else self.times.shown[some]
            filled = fill_times(shown, self.times.decoded[some], self.step)
            order = np.argsort(filled, kind="stable")
            slots.append(filled[order] + ticks * float(self.base))
            length = 0.0 if self.counted else float(self.times.durations[some[order[-1]]])
            end = float(slots[-1][-1]) + (length or self.step)
        return np.maximum.accumulate(np.concatenate(slots)), end


def _find_restarts(stream: av.stream.Stream, times: PacketTimes) -> set[int]:
    """Returns the frames marked as corrupt right before a key frame, where nothing depends on them.

    So are those before a file that was joined to another, though its clock goes on.
    """
    if not isinstance(stream, av.VideoStream):
        return set()
    return {int(k) for k in np.flatnonzero(times.corrupt) if times.keys[k : k + _SEAM].any()}


def _guess_step(stream: av.stream.Stream, times: PacketTimes) -> float:
    if isinstance(stream, av.VideoStream):  # its type may have changed on the way
        return 1 / float(stream.guessed_rate or stream.average_rate or _FALLBACK_RATE)
    return float(np.median(times.durations)) or _FALLBACK_PIECE


def _find_joins(lines: dict[str, _Line], container: str) -> list[Join]:
    if container in _COUNTED:
        return []
    video, audio = (lines[name].times if name in lines else NO_PACKETS for name in ("video", "audio"))
    video_breaks = find_video_breaks(video, trust_decode_times=container in _TRANSPORT)
    return pair_breaks(video, audio, video_breaks, find_audio_breaks(audio))


def _join_recordings(
    lines: dict[str, _Line], joins: Sequence[Join]
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Puts recordings one after the other; returns where they begin, and the stretches left undecided."""
    places: list[float] = []
    undecided: list[tuple[float, float]] = []
    for join, following in zip(joins, _find_following(joins), strict=True):
        begin = _append_recording(lines, join, following)
        places.append(begin)
        is_open = bool(undecided) and undecided[-1][1] == np.inf
        if is_open and join.video is not None and join.audio is not None:
            undecided[-1] = undecided[-1][0], begin  # from here on both are known again
        elif not join.certain and not is_open:
            undecided.append((begin, np.inf))
    return tuple(places), tuple(undecided)


def _find_following(joins: Sequence[Join]) -> list[Join]:
    """For each join, the numbers of the packets at which each stream begins anew after it."""
    found, following = [], Join(None, None)
    for join in reversed(joins):
        found.append(following)
        video = following.video if join.video is None else join.video
        following = Join(video, following.audio if join.audio is None else join.audio)
    return found[::-1]


def _append_recording(lines: dict[str, _Line], join: Join, following: Join) -> float:
    """Begins a recording in the streams that start anew, all with the same shift; returns where."""
    parts = [
        (lines[name], first, last)
        for name, first, last in (
            ("video", join.video, following.video),
            ("audio", join.audio, following.audio),
        )
        if first is not None
    ]
    begin = min(line.find_span(first, last)[0] for line, first, last in parts)
    shift = max(line.shift for line, _, _ in parts)
    end = max(line.find_span(line.firsts[-1], first)[1] + line.shift for line, first, _ in parts)
    if not end - _OVERLAP < begin + shift < end + _MAX_HOURS_AHEAD * 3600:
        shift = end - begin
    for line, first, _ in parts:
        line.begin_recording(first, shift)
    return begin + shift


def _measure_length(
    container: av.container.InputContainer,
    stream: av.stream.Stream | None,
    clock: StreamClock | None,
    packets: FilePackets,
) -> tuple[float, float]:
    """Returns the seconds that the header promises, and those that the file lacks; 0 for none or unknown.

    Durations in headers count from the beginning of the stream, or from zero: a file is whole by either.
    """
    times = packets.streams[0]
    if clock is None or stream is None or times is None or container.format.name in _TRANSPORT:
        return 0.0, 0.0
    length = clock.end - float(clock.slots[0])
    if stream.duration is not None:
        promised, tolerance = float(stream.duration * stream.time_base), _SHORT_STREAM
        found = max(length, clock.end, times.latest) if clock.is_plain else length
    elif container.duration is not None:
        promised, tolerance = container.duration / av.time_base, _SHORT_FILE
        found = max(packets.end, packets.end - (container.start_time or 0) / av.time_base)
    else:
        return 0.0, 0.0
    usual = 1.5 * length / len(clock.slots)
    return promised, promised - found if found < promised - max(usual, tolerance) else 0.0


def _count_unread(path: Path, read: int) -> int:
    """Bytes of a file after its last packet; 0 where they are no more than an index."""
    size = path.stat().st_size
    return size - read if size - read > max(_UNREAD_SHARE * size, _UNREAD_BYTES) else 0
