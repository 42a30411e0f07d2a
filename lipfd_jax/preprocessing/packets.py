"""Packets of a file's picture and sound: their times as the file gives them, and missing ones filled."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.containers import demux_packets

MAX_PACKETS = 10_000_000  # 12 hours at 60 frames a second and their sound are 5 million, some 200 MB
_FEW = 3  # packets in a row without a time, that may be reordered
_AROUND = 32  # packets before and after one without a time, among which there is a gap for it
_OUTLIER = 5.0  # seconds from the times around, from which on a time counts as missing


def drop_outliers(times: np.ndarray) -> np.ndarray:
    """Returns times (n,) in seconds with those over 5 s from the median of five around them made NaN."""
    known = np.flatnonzero(~np.isnan(times))
    if len(known) < 5:
        return times
    values = times[known]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, 2, mode="reflect"), 5)
    kept = times.copy()
    kept[known[np.abs(values - np.median(around, axis=1)) > _OUTLIER]] = np.nan
    return kept


@dataclass(frozen=True)
class PacketTimes:
    """Times of one stream's packets, in the file's order; in seconds, NaN where the file gives none."""

    shown: np.ndarray  # (n,) float64, presentation times
    decoded: np.ndarray  # (n,) float64, decode times
    durations: np.ndarray  # (n,) float64, 0 where unknown
    places: np.ndarray  # (n,) int64, numbers of the packets among those of all streams
    keys: np.ndarray  # (n,) bool, packets that begin with a key frame
    discarded: np.ndarray  # (n,) bool, packets that are decoded and not shown
    corrupt: np.ndarray  # (n,) bool, packets marked as damaged
    latest: float  # the largest presentation time of all, impossible ones too


@dataclass(frozen=True)
class FilePackets:
    """Packets of the streams of a file that are asked for, and how far those of all its streams reach."""

    streams: tuple[PacketTimes | None, ...]  # None: the stream is missing, or has no packet
    end: float  # when the last packet of any stream ends, seconds
    bytes: int  # up to the end of the last packet in the file


class _Collector:
    """Collects the packets of a stream."""

    def __init__(self) -> None:
        self.shown, self.decoded, self.durations = array("d"), array("d"), array("d")
        self.places = array("q")
        self.keys, self.discarded, self.corrupt = bytearray(), bytearray(), bytearray()

    def add(self, packet: av.Packet, place: int, up: int, down: int) -> None:
        """Adds a packet, given its number among those of all streams and its time base `up / down`."""
        pts, dts = packet.pts, packet.dts
        self.shown.append(np.nan if pts is None else pts * up / down)
        self.decoded.append(np.nan if dts is None else dts * up / down)
        self.durations.append((packet.duration or 0) * up / down)
        self.places.append(place)
        self.keys.append(packet.is_keyframe)
        self.discarded.append(packet.is_discard)
        self.corrupt.append(packet.is_corrupt)

    def finish(self) -> PacketTimes:
        """The packets as arrays, without impossible times."""
        return PacketTimes(
            shown=drop_outliers(np.array(self.shown)),
            decoded=np.array(self.decoded),
            durations=np.array(self.durations),
            places=np.array(self.places, np.int64),
            keys=np.frombuffer(self.keys, bool),
            discarded=np.frombuffer(self.discarded, bool),
            corrupt=np.frombuffer(self.corrupt, bool),
            latest=float(np.fmax.reduce(np.array(self.shown), initial=-np.inf)),
        )


NO_PACKETS = _Collector().finish()


def collect_packets(
    path: Path, container: av.container.InputContainer, streams: Sequence[av.stream.Stream | None]
) -> FilePackets:
    """Reads all packets of an open file. Raises ClipError for more than `MAX_PACKETS`."""
    found = {stream.index: _Collector() for stream in streams if stream is not None}
    # Asking each packet for its time base takes longer than everything else.
    bases = {s.index: s.time_base.as_integer_ratio() for s in container.streams if s.time_base}
    end, read, place = 0.0, 0, 0
    for packet in demux_packets(path, container):
        if not packet.size:
            continue
        place += 1
        if place > MAX_PACKETS:
            raise ClipError(f"{path}: over {MAX_PACKETS} packets; cut it into shorter files")
        index = packet.stream_index
        up, down = bases.get(index, (0, 1))
        if index in found:
            found[index].add(packet, place, up, down)
        read = max(read, (packet.pos or 0) + packet.size)
        if packet.pts is not None:
            end = max(end, (packet.pts + (packet.duration or 0)) * up / down)
    kept = (None if stream is None else found[stream.index] for stream in streams)
    return FilePackets(tuple(one.finish() if one and one.shown else None for one in kept), end, read)


def fill_times(shown: np.ndarray, decoded: np.ndarray, step: float) -> np.ndarray:
    """Returns presentation times (n,) of packets in the file's order, with missing ones (NaN) filled.

    Where all are missing, they are the decode times, or every `step` seconds without those. Of many in a row
    each is between its neighbours; a few are taken from the nearest gap among the others, as frames are
    reordered.
    """
    known, missing = np.flatnonzero(~np.isnan(shown)), np.flatnonzero(np.isnan(shown))
    if not len(known):
        grow = bool((np.diff(np.sort(decoded)) > 0).all())  # false with a NaN, too
        return decoded.copy() if grow else np.arange(len(shown)) * step
    filled = shown.copy()
    for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
        if len(run) > _FEW:
            ends = np.interp(run, known, shown[known])  # constant before the first and after the last
            outside = np.minimum(run - known[0], 0) + np.maximum(run - known[-1], 0)
            filled[run] = ends + outside * step
    for number in np.flatnonzero(np.isnan(filled)):
        filled[number] = _find_free_time(filled, int(number), step)
    return filled


def _find_free_time(times: np.ndarray, number: int, step: float) -> float:
    """A time for a packet, from the nearest gap among those of the packets around it."""
    first, last = max(number - _AROUND, 0), number + _AROUND + 1
    known = np.sort(times[first:last][~np.isnan(times[first:last])])
    near = times[max(number - _FEW - 1, 0) : number + _FEW + 2]
    expected = float(np.median(near[~np.isnan(near)]))
    gaps = np.flatnonzero(np.diff(known) > 1.5 * step)
    free = [*(known[gaps] + np.minimum(np.diff(known)[gaps] / 2, step))]
    free += [known[0] - step] * (first == 0) + [known[-1] + step] * (last >= len(times))
    return float(min(free, key=lambda time: abs(time - expected), default=expected))
