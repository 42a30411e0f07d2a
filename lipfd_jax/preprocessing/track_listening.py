"""Listens to the beginning of sound tracks: which are speech, and how their channels agree."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from lipfd_jax.preprocessing.channels import CENTRE, MEAN, SIDES, name_channels, split_channels
from lipfd_jax.preprocessing.containers import demux_packets, open_container
from lipfd_jax.preprocessing.speech_likeness import SPEECH, measure_speech
from lipfd_jax.preprocessing.voice import RATE

_PROBED = 60.0  # seconds of sound, silence not counted, that are enough to tell speech
_PLAIN = 20.0  # seconds that are enough for one stereo track whose channels agree
_LONGEST = 180.0  # seconds of the file that are looked at
_AUDIBLE = 1e-3  # quieter pieces, -60 dB, are silence
_AGREE = 0.3  # power of the mean over that of unrelated channels; stereo that cancels out has less
_CANCELS = 0.1
_CANCELLED_SHARE = 0.1  # of the audible seconds, from which one channel is taken


@dataclass(frozen=True)
class Impression:
    """What the beginning of a track says about it."""

    speech: float = 0.0  # likeness to speech of the channel to take
    channel: str = MEAN
    cancels: bool = False  # whether it is taken because the channels cancel each other out


@dataclass
class _Heard:
    """The beginning of a track, and how its channels agree."""

    # By channel, MEAN among them: pieces (n,) float32 at 16 kHz.
    parts: dict[str, list[np.ndarray]] = field(default_factory=dict)
    agree: bool = True  # in every audible piece
    seconds: float = 0.0  # audible ones ...
    cancelled: float = 0.0  # ... in which the channels cancel each other out

    def add(self, samples: np.ndarray, names: Sequence[str]) -> None:
        """Adds samples (channels, n) with their channels' names, unless they are silent."""
        if not samples.size or np.abs(samples).max() < _AUDIBLE:
            return
        power, apart = _measure_powers(samples)
        self.agree &= power >= _AGREE * apart
        self.seconds += (seconds := samples.shape[1] / RATE)
        self.cancelled += seconds * (power < _CANCELS * apart)
        self.parts.setdefault(MEAN, []).append(samples.mean(axis=0))
        for name in (CENTRE, *SIDES):
            if len(samples) > 1 and name in names:
                self.parts.setdefault(name, []).append(samples[names.index(name)])

    @functools.cached_property
    def speeches(self) -> dict[str, float]:
        """Likeness to speech by channel."""
        return {name: measure_speech(np.concatenate(parts)) for name, parts in self.parts.items()}

    def conclude(self, alone: bool) -> Impression:
        """Chooses the channel; a track that is `alone` needs no speech."""
        channel, cancels = self._take_channel()
        return Impression(0.0 if alone else self.speeches.get(channel, 0.0), channel, cancels)

    def _take_channel(self) -> tuple[str, bool]:
        """The channel to take, and whether because of channels that cancel each other out."""
        if self._speaks_in_centre():
            return CENTRE, False
        sides = [name for name in SIDES if name in self.parts]
        if self.agree or not sides:
            return MEAN, False
        if self.cancelled >= _CANCELLED_SHARE * self.seconds:
            return max(sides, key=self._measure_power), True
        clear = max(sides, key=lambda name: self.speeches[name])
        speaks = self.speeches[clear] >= max(SPEECH, 2 * self.speeches[MEAN])
        return (clear, True) if speaks else (MEAN, False)

    def _speaks_in_centre(self) -> bool:
        least = max(SPEECH, self.speeches[MEAN] / 2) if CENTRE in self.parts else 0.0
        return CENTRE in self.parts and self.speeches[CENTRE] >= least

    def _measure_power(self, channel: str) -> float:
        return sum(float((part**2).sum()) for part in self.parts[channel])


@functools.lru_cache(maxsize=64)
def listen(path: Path, size: int, changed: int, indices: tuple[int, ...]) -> dict[int, Impression]:
    """Listens to the beginning of tracks, decoding each once; size and time of change identify the file."""
    heard, alone = {index: _Heard() for index in indices}, len(indices) == 1
    if alone and _is_plain(path, indices[0]):
        return {indices[0]: Impression()}
    with open_container(path) as container:
        streams = [container.streams[index] for index in indices]
        listeners = {stream.index: _Listener(heard[stream.index]) for stream in streams}
        first: float | None = None
        for packet in demux_packets(path, container, *streams):
            now = None if packet.pts is None else float(packet.pts * packet.time_base)
            first = now if first is None else first
            if now is not None and first is not None and now - first > _LONGEST:
                break
            listeners[packet.stream.index].hear(packet)
            if all(track.seconds >= _PROBED for track in heard.values()):
                break
        for listener in listeners.values():
            listener.flush()
    return {index: track.conclude(alone) for index, track in heard.items()}


def _is_plain(path: Path, index: int) -> bool:
    """Whether two channels agree in every second that is heard: the usual case, found without resampling."""
    with open_container(path) as container:
        heard, looked, held, seconds = 0.0, 0.0, [], 0.0
        for frame in _decode_leniently(path, container, container.streams[index]):
            if frame.layout.nb_channels != len(SIDES) or looked > _LONGEST:
                return False
            held.append(_read_pair(frame))
            seconds += frame.samples / frame.sample_rate
            looked += frame.samples / frame.sample_rate
            if seconds < 1:
                continue
            both, held, seconds = np.concatenate(held, axis=1), [], 0.0
            if np.abs(both).max() < _AUDIBLE:
                continue
            heard += 1
            if not _agree(both):
                return False
            if heard >= _PLAIN:
                return True
        return not held or _agree(np.concatenate(held, axis=1))


def _decode_leniently(
    path: Path, container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame]:
    """Yields what can be decoded of a track; the rest is left to the track's reader."""
    for packet in demux_packets(path, container, stream):
        try:
            yield from packet.decode()
        except (av.FFmpegError, ValueError):
            continue


def _read_pair(frame: av.AudioFrame) -> np.ndarray:
    """Samples (2, n) float32 of a stereo frame in any format."""
    samples = frame.to_ndarray()
    samples = samples if frame.format.is_planar else samples.reshape(-1, len(SIDES)).T
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    middle = 128 if samples.dtype == np.uint8 else 0
    return (samples.astype(np.float32) - middle) / (np.float32(np.iinfo(samples.dtype).max) + 1)


def _agree(samples: np.ndarray) -> bool:
    """Whether the mean of channels (channels, n) has the power that it has of unrelated ones, or nearly."""
    power, apart = _measure_powers(samples)
    return power >= _AGREE * apart


def _measure_powers(samples: np.ndarray) -> tuple[float, float]:
    """Power of the mean of channels (channels, n), and that which it has if they are unrelated; sums."""
    mean, squares = samples.mean(axis=0), float((samples**2).sum())
    return float((mean**2).sum()), squares / len(samples) ** 2


class _Listener:
    """Decodes a track at 16 kHz, a second at a time; what can't be decoded is left to the track's reader."""

    def __init__(self, heard: _Heard):
        self._heard = heard
        self._resampler = av.AudioResampler(format="flt", rate=RATE)
        self._form: tuple[str, int, str] | None = None
        self._waiting: list[np.ndarray] = []
        self._names: list[str] = []

    def hear(self, packet: av.Packet) -> None:
        """Decodes a packet."""
        try:
            for frame in packet.decode():
                self._add(frame)
        except (av.FFmpegError, ValueError):
            return

    def _add(self, frame: av.AudioFrame) -> None:
        form = frame.layout.name, frame.sample_rate, frame.format.name
        if form != self._form:
            self.flush()
            self._resampler, self._form = av.AudioResampler(format="flt", rate=RATE), form
            self._names = name_channels(frame.layout)
        frame.pts = None  # gaps are of no interest
        self._waiting += [split_channels(piece) for piece in self._resampler.resample(frame)]
        if sum(piece.shape[1] for piece in self._waiting) >= RATE:
            self.flush()

    def flush(self) -> None:
        """Passes on what was decoded."""
        if self._waiting:
            self._heard.add(np.concatenate(self._waiting, axis=1), self._names)
            self._waiting.clear()
