"""Reads the clock of a video file in a pass over its packets, without decoding.

It finds where joined recordings begin, which times are missing, and whether the file is whole.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.clock import FileClock, StreamClock, to_ticks
from lipfd_jax.preprocessing.containers import demux_packets, open_container
from lipfd_jax.preprocessing.joins import (
    Join,
    PacketTimes,
    drop_outliers,
    find_audio_breaks,
    find_video_breaks,
    pair_breaks,
)
from lipfd_jax.preprocessing.stream_choice import choose_audio, choose_video
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, MissingStream, TrackRequest

Choice = TypeVar("Choice")
MAX_PACKETS = 10_000_000  # 12 hours at 60 frames a second and their sound are 5 million, some 200 MB
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

    Raises ClipError for more than `MAX_PACKETS`.
    """
    video_choice = _choose(choose_video, path, container, request)
    audio_choice = _choose(choose_audio, path, container, request)
    choices = (video_choice, audio_choice)
    streams = [None if choice is None else container.streams[choice.index] for choice in choices]
    (video, audio), seen, read = _collect_packets(path, container, streams)
    kind = container.format.name
    lines = {
        name: _Line(packets, counted=name == "video" and kind in _COUNTED)
        for name, packets in (("video", video), ("audio", audio))
        if packets is not None
    }
    joins = [] if kind in _COUNTED else _find_joins(lines, trusted=kind in _TRANSPORT)
    places, undecided = _join_recordings(lines, joins)
    clocks = {name: line.make_clock() for name, line in lines.items()}
    if audio_choice is not None and "audio" in clocks:
        clocks["audio"] = replace(clocks["audio"], channel=audio_choice.channel)
    promised, missing = _measure_length(container, video, clocks.get("video"), seen)
    size = path.stat().st_size
    unread = size - read if size - read > max(_UNREAD_SHARE * size, _UNREAD_BYTES) else 0
    return FileClock(
        clocks.get("video"), clocks.get("audio"), places, undecided, promised, missing, unread, *choices
    )


def _choose(
    choose: Callable[..., Choice], path: Path, container: av.container.InputContainer, request: TrackRequest
) -> Choice | None:
    try:
        return choose(path, container, request)
    except MissingStream:
        return None


class _Packets:
    """Packets of a stream: their times as the file gives them."""

    def __init__(self, stream: av.stream.Stream):
        self.stream, self._base = stream, Fraction(stream.time_base).as_integer_ratio()
        self.shown, self.decoded, self.durations = array("d"), array("d"), array("d")  # seconds
        self.places = array("q")
        self.keys, self.discarded, self.corrupt = bytearray(), bytearray(), bytearray()

    def add(self, packet: av.Packet, place: int) -> None:
        """Adds a packet, given its number among those of all streams."""
        pts, dts, (up, down) = packet.pts, packet.dts, self._base
        self.shown.append(np.nan if pts is None else pts * up / down)
        self.decoded.append(np.nan if dts is None else dts * up / down)
        self.durations.append((packet.duration or 0) * up / down)
        self.places.append(place)
        self.keys.append(packet.is_keyframe)
        self.discarded.append(packet.is_discard)
        self.corrupt.append(packet.is_corrupt)


def _collect_packets(
    path: Path, container: av.container.InputContainer, streams: Sequence[av.stream.Stream | None]
) -> tuple[list[_Packets | None], float, int]:
    """Returns the packets of each stream, and where the last packet of any ends: in seconds, and in bytes."""
    found = {stream.index: _Packets(stream) for stream in streams if stream is not None}
    seen, read, place = 0.0, 0, 0
    for packet in demux_packets(path, container):
        if not packet.size:
            continue
        place += 1
        if place > MAX_PACKETS:
            raise ClipError(f"{path}: over {MAX_PACKETS} packets; cut it into shorter files")
        if packet.stream_index in found:
            found[packet.stream_index].add(packet, place)
        read = max(read, (packet.pos or 0) + packet.size)
        if packet.pts is not None and packet.time_base:
            base = packet.time_base
            seen = max(seen, (packet.pts + (packet.duration or 0)) * base.numerator / base.denominator)
    kept = (None if stream is None else found[stream.index] for stream in streams)
    return [packets if packets is not None and packets.shown else None for packets in kept], seen, read


class _Line:
    """Times of one stream while its recordings are put one after the other."""

    def __init__(self, packets: _Packets, *, counted: bool):
        self.packets = packets
        self.times = PacketTimes(
            drop_outliers(np.array(packets.shown)),
            np.array(packets.decoded),
            np.array(packets.places, np.int64),
            np.frombuffer(packets.keys, bool),
        )
        shown = self.times.shown
        same = len(shown) > 1 and np.nanmin(shown, initial=np.inf) == np.nanmax(shown, initial=-np.inf)
        self.counted = counted or bool(np.isnan(shown).all() or same)  # one time for all is none
        self.base = Fraction(packets.stream.time_base)
        self.step = _guess_step(packets)
        self.firsts, self.ticks, self.seams = [0], [0], _find_restarts(packets)

    def find_span(self, first: int, last: int | None) -> tuple[float, float]:
        """Start and end of the packets first to last - 1, by the file; infinite where no time is known."""
        shown = self.times.shown[first:last]
        known = ~np.isnan(shown)
        if not known.any():
            return np.inf, -np.inf
        ends = shown + np.array(self.packets.durations[first:last])
        return float(shown[known].min()), float(ends[known].max())

    @property
    def shift(self) -> float:
        """Seconds added to the times of the latest recording."""
        return self.ticks[-1] * float(self.base)

    def begin_recording(self, first: int, shift: float) -> None:
        """Lets a recording begin at a packet, with `shift` seconds added to its times."""
        self.firsts.append(first)
        self.ticks.append(to_ticks(shift, self.base))
        if self.packets.keys[first]:  # else what is incomplete there is missing
            self.seams |= set(range(first - _SEAM, first + _SEAM))

    def make_clock(self) -> StreamClock:
        """The stream's clock."""
        slots, end = self._place_packets()
        return StreamClock(
            self.packets.stream.index,
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
        kept = ~np.frombuffer(self.packets.discarded, bool)
        slots, end = [], 0.0
        lasts = [*self.firsts[1:], len(self.times.shown)]
        for first, last, ticks in zip(self.firsts, lasts, self.ticks, strict=True):
            some = np.flatnonzero(kept[first:last]) + first
            if not len(some):
                continue
            shown = np.full(len(some), np.nan) if self.counted else self.times.shown[some]
            filled = fill_times(shown, self.times.decoded[some], self.step)
            order = np.argsort(filled, kind="stable")
            slots.append(filled[order] + ticks * float(self.base))
            length = 0.0 if self.counted else self.packets.durations[some[order[-1]]]
            end = float(slots[-1][-1]) + (length or self.step)
        joined = np.concatenate(slots) if slots else np.zeros(0)
        return np.maximum.accumulate(joined), end


def _find_restarts(packets: _Packets) -> set[int]:
    """Returns the packets marked as corrupt right before a key frame, where nothing depends on them.

    So are those before a file that was joined to another, though its clock goes on.
    """
    keys = np.frombuffer(packets.keys, bool)
    marked = np.flatnonzero(np.frombuffer(packets.corrupt, bool))
    pictures = isinstance(packets.stream, av.VideoStream)
    return {int(k) for k in marked if keys[k : k + _SEAM].any()} if pictures else set()


def _guess_step(packets: _Packets) -> float:
    stream = packets.stream
    if isinstance(stream, av.VideoStream):  # its type may have changed on the way
        return 1 / float(stream.guessed_rate or stream.average_rate or _FALLBACK_RATE)
    return float(np.median(packets.durations)) or _FALLBACK_PIECE


def fill_times(shown: np.ndarray, decoded: np.ndarray, step: float) -> np.ndarray:
    """Returns presentation times (n,) of packets in the file's order, with missing ones (NaN) filled.

    Where all are missing, they are the decode times, or every `step` seconds without those. A single missing
    one comes from the nearest gap among the others.
    """
    missing = np.flatnonzero(np.isnan(shown))
    if len(missing) == len(shown):
        grow = bool((np.diff(np.sort(decoded)) > 0).all())  # false with a NaN, too
        return decoded.copy() if grow else np.arange(len(shown)) * step
    filled = shown.copy()
    for number in missing:
        around = filled[max(number - 4, 0) : number + 5]
        known = np.sort(filled[~np.isnan(filled)])
        expected = float(np.median(around[~np.isnan(around)])) if (~np.isnan(around)).any() else known[-1]
        gaps = np.flatnonzero(np.diff(known) > 1.5 * step)
        between = known[gaps] + np.minimum(np.diff(known)[gaps] / 2, step)
        free = np.array([known[0] - step, *between, known[-1] + step])
        filled[number] = free[np.argmin(np.abs(free - expected))]
    return filled


def _find_joins(lines: dict[str, _Line], *, trusted: bool) -> list[Join]:
    video = lines["video"].times if "video" in lines else None
    audio = lines["audio"].times if "audio" in lines else None
    video_breaks = [] if video is None else find_video_breaks(video, trust_decode_times=trusted)
    audio_breaks = [] if audio is None else find_audio_breaks(audio)
    return pair_breaks(video, audio, video_breaks, audio_breaks)


def _join_recordings(
    lines: dict[str, _Line], joins: Sequence[Join]
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Puts recordings one after the other; returns where they begin, and the stretches left undecided."""
    places: list[float] = []
    undecided: list[tuple[float, float]] = []
    for number, join in enumerate(joins):
        begin = _append_recording(lines, join, joins[number + 1 :])
        places.append(begin)
        if undecided and undecided[-1][1] == np.inf and join.video is not None and join.audio is not None:
            undecided[-1] = undecided[-1][0], begin  # from here on both are known again
        elif not join.certain and not (undecided and undecided[-1][1] == np.inf):
            undecided.append((begin, np.inf))
    return tuple(places), tuple(undecided)


def _append_recording(lines: dict[str, _Line], join: Join, later: Sequence[Join]) -> float:
    """Begins a recording in the streams that start anew, all with the same shift; returns where."""
    firsts = {name: k for name, k in (("video", join.video), ("audio", join.audio)) if k is not None}
    nexts = {name: next((k for j in later if (k := getattr(j, name)) is not None), None) for name in firsts}
    begin = min(lines[name].find_span(k, nexts[name])[0] for name, k in firsts.items())
    shift = max(lines[name].shift for name in firsts)
    ending = [(lines[name], k) for name, k in firsts.items()]
    end = max(line.find_span(line.firsts[-1], k)[1] + line.shift for line, k in ending)
    if not end - _OVERLAP < begin + shift < end + _MAX_HOURS_AHEAD * 3600:
        shift = end - begin
    for name, first in firsts.items():
        lines[name].begin_recording(first, shift)
    return begin + shift


def _measure_length(
    container: av.container.InputContainer,
    video: _Packets | None,
    clock: StreamClock | None,
    seen: float,
) -> tuple[float, float]:
    """Returns the seconds that the header promises, and those that the file lacks; 0 for none or unknown.

    `seen`: end of the last packet of any stream. Durations in headers count from the beginning of the
    stream, or from zero: a file is whole by either.
    """
    if clock is None or video is None or container.format.name in _TRANSPORT or not len(clock.slots):
        return 0.0, 0.0
    length, stream = clock.end - float(clock.slots[0]), video.stream
    if stream.duration is not None:
        promised, tolerance = float(stream.duration * stream.time_base), _SHORT_STREAM
        stated = float(np.nanmax(video.shown, initial=clock.end))  # by an impossible last time, too
        found = max(length, stated if clock.is_plain else 0.0)
    elif container.duration is not None:
        promised, tolerance = container.duration / av.time_base, _SHORT_FILE
        found = max(seen, seen - (container.start_time or 0) / av.time_base)
    else:
        return 0.0, 0.0
    usual = 1.5 * length / len(clock.slots)
    return promised, promised - found if found < promised - max(usual, tolerance) else 0.0
