"""The sound of a video of any length, read once: its mel power, its loudness, and where somebody speaks."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soxr

from lipfd_jax.preprocessing.audio import (
    COLUMNS_PER_SECOND,
    SAMPLE_RATE,
    SILENCE,
    colour_mel,
    compute_mel_blocks,
    read_sound_pieces,
)
from lipfd_jax.preprocessing.containers import Damage
from lipfd_jax.preprocessing.extraction import mel_strip

CONTEXT_SECONDS = 8.0  # of sound over which a window's mel is scaled: the length of the training clips
WHOLE_SECONDS = 8.5  # a sound up to this long is scaled as a whole; clips of 8 s often carry a little more
STEP = 0.03  # seconds for which loudness and speech are told
_SPEECH_RATE = 16000  # Hz, of the speech detector's input
_SPEECH_STRICTNESS = 2  # of webrtcvad, 0 to 3
_SPEECH_REACH = 0.4  # seconds around a moment in which ...
_SPEECH_SHARE = 0.3  # ... this share must be speech
_PAUSE = 1.0  # seconds up to which a pause, between words or at the ends, belongs to speech
_SILENCE_REACH = 0.25  # seconds around a moment that must all be silent
_DAMAGE_REACH = 0.5  # seconds around a damaged place that are not judged


@dataclass(frozen=True)
class Heard:
    """What there is to know of a sound track."""

    start: float  # time of the first sample on the file's clock, seconds
    blocks: tuple[np.ndarray, ...]  # (128, up to 4096) float32 each: mel power, 43 columns a second
    loudness: np.ndarray  # (m,) float32: root mean square of each 30 ms
    peak: np.ndarray  # (m,) float32: largest absolute sample of each 30 ms
    voice: np.ndarray  # (m,) bool: the speech detector's word on each 30 ms
    damaged: tuple[float, ...] = ()  # places a decoder reports, seconds from the first sample; NaN: unknown
    _pictures: dict = field(default_factory=dict, repr=False, compare=False)  # the latest mel picture

    @property
    def columns(self) -> int:
        """How many mel columns there are."""
        return sum(block.shape[1] for block in self.blocks)

    @property
    def end(self) -> float:
        """When it ends on the file's clock."""
        return self.start + len(self.loudness) * STEP

    def power(self, first: int, last: int) -> np.ndarray:
        """Mel power of columns first..last-1, (128, last - first) float32."""
        width = self.blocks[0].shape[1]
        parts = [
            block[:, max(first - index * width, 0) : max(last - index * width, 0)]
            for index, block in enumerate(self.blocks)
        ]
        return np.concatenate(parts, axis=1)

    def strip(self, first: int, last: int) -> np.ndarray:
        """The mel strip (128, last - first, 3) uint8 RGB of a window, scaled over the 8 s around it.

        A sound of up to 8.5 s is scaled as a whole, exactly as in records.
        """
        begin, end = context(first, last, self.columns)
        if (begin, end) not in self._pictures:
            self._pictures.clear()
            self._pictures[begin, end] = colour_mel(self.power(begin, end))
        return mel_strip(self._pictures[begin, end], first - begin, last - begin)


def context(first: int, last: int, columns: int) -> tuple[int, int]:
    """The mel columns over which those of a window are scaled: 8 s around it, inside the sound."""
    if columns <= WHOLE_SECONDS * COLUMNS_PER_SECOND:
        return 0, columns
    width = round(CONTEXT_SECONDS * COLUMNS_PER_SECOND)
    begin = int(np.clip((first + last - width) // 2, 0, columns - width))
    return begin, begin + width


def listen(path: Path, longest: float) -> Heard:
    """Reads a sound track once, piece by piece; an hour takes about 80 MB.

    Raises ClipError where there is none, where it can't be decoded, or longer than `longest` seconds.
    """
    ears, damage = _Ears(), Damage("keep")
    blocks = tuple(compute_mel_blocks(ears.noting(read_sound_pieces(path, longest, damage))))
    loudness, peak, voice = ears.finished()
    unknown = [float("nan")] * (damage.places - len(damage.times))
    places = (*(time - ears.start for time in damage.times), *unknown)
    return Heard(ears.start, blocks, loudness, peak, voice, places)


class _Ears:
    """Measures loudness and speech of pieces that pass through."""

    def __init__(self):
        import webrtcvad

        self.start = 0.0
        self._detector = webrtcvad.Vad(_SPEECH_STRICTNESS)
        self._resampler = soxr.ResampleStream(SAMPLE_RATE, _SPEECH_RATE, 1, dtype="float32")
        self._length = round(STEP * _SPEECH_RATE)  # samples that are judged together
        self._held = np.zeros(0, np.float32)
        self._found: list[tuple[np.ndarray, np.ndarray, list[bool]]] = []

    def noting(self, pieces: Iterable[tuple[float, np.ndarray]]) -> Iterator[np.ndarray]:
        """The same samples, measured on the way."""
        waiting: list[np.ndarray] = []
        for self.start, piece in pieces:
            waiting.append(piece)
            if sum(map(len, waiting)) >= SAMPLE_RATE:  # a second at once costs less
                self._measure(self._resampler.resample_chunk(np.concatenate(waiting)))
                waiting.clear()
            yield piece
        rest = np.concatenate([np.zeros(0, np.float32), *waiting])
        self._measure(self._resampler.resample_chunk(rest, last=True))

    def finished(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Loudness, peak and speech, each (m,)."""
        if len(self._held):
            self._measure(np.zeros(self._length - len(self._held), np.float32))
        loudness, peak, voice = zip(*self._found, strict=True) if self._found else ([], [], [])
        none = np.zeros(0, np.float32)
        return (
            np.concatenate([none, *loudness]),
            np.concatenate([none, *peak]),
            np.array([spoken for part in voice for spoken in part], bool),
        )

    def _measure(self, samples: np.ndarray) -> None:
        held = np.concatenate([self._held, samples])
        count = len(held) // self._length
        rows = held[: count * self._length].reshape(count, self._length)
        self._held = held[count * self._length :]
        if not count:
            return
        pcm = np.int16(np.clip(rows, -1, 1) * 32767)
        voice = [self._detector.is_speech(row.tobytes(), _SPEECH_RATE) for row in pcm]
        self._found.append((np.sqrt((rows**2).mean(axis=1)), np.abs(rows).max(axis=1), voice))


def sound_reasons(heard: Heard | None, middles: np.ndarray) -> np.ndarray:
    """Why there is nothing to hear at these times (n,) on the file's clock: (n,) of "", "no_sound", ...

    "no_sound": there is no track then; "silent": nothing above -80 dBFS within a quarter of a second;
    "damaged": within half a second of a place that the decoder reports;
    "no_speech": less than a third of the 0.8 s around is speech. Pauses of up to a second belong to speech.
    """
    if heard is None or not len(heard.voice):
        return np.full(len(middles), "no_sound")
    index = np.floor((middles - heard.start) / STEP).astype(int)
    inside = (index >= 0) & (index < len(heard.voice))
    reasons = _reasons(heard)[np.clip(index, 0, len(heard.voice) - 1)]
    return np.where(inside, reasons, "no_sound")


def _reasons(heard: Heard) -> np.ndarray:
    """(m,): the reason of each 30 ms."""
    speech = _share(heard.voice, _SPEECH_REACH) >= _SPEECH_SHARE
    for first, last, value in runs(speech):
        if value == "False" and (last - first) * STEP < _PAUSE:
            speech[first:last] = True
    silent = _share(heard.peak < SILENCE, _SILENCE_REACH) >= 1
    reasons = np.full(len(speech), "", dtype="<U12")
    for first, last, value in runs(speech):
        if value == "False":  # one reason for the whole pause
            reasons[first:last] = "silent" if silent[first:last].mean() > 0.5 else "no_speech"
    reach = round(_DAMAGE_REACH / STEP)
    for place in sorted({round(place / STEP) for place in heard.damaged if np.isfinite(place)}):
        reasons[max(place - reach, 0) : max(place + reach, 0)] = "damaged"
    if np.isnan(heard.damaged).any():  # it could be anywhere
        reasons[:] = "damaged"
    return reasons


def runs(values: np.ndarray) -> list[tuple[int, int, str]]:
    """Runs of equal values as (first, last + 1, value as text)."""
    if not len(values):
        return []
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1, [len(values)]])
    return [(int(a), int(b), str(values[a])) for a, b in itertools.pairwise(starts)]


def _share(flags: np.ndarray, reach: float) -> np.ndarray:
    """(m,): the share of true flags within `reach` seconds of each."""
    steps = round(reach / STEP)
    total = np.concatenate([[0], np.cumsum(flags)])
    first = np.maximum(np.arange(len(flags)) - steps, 0)
    last = np.minimum(np.arange(len(flags)) + steps + 1, len(flags))
    return (total[last] - total[first]) / (last - first)
