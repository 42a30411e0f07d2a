"""Puts the decoded pieces of a sound track in their places in time, and resamples them to one rate.

Gaps are filled with silence, overlaps dropped; the rate may change on the way.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import soxr

from lipfd_jax.preprocessing.mel import SAMPLE_RATE

_SHIFT = 0.02  # seconds; a longer gap or overlap counts if it stays for the following pieces too
_FOLLOWING = 6  # pieces: times of a live recording may be off for a moment, and one may be impossible
_LONG_GAP = 10  # seconds; the middle of longer gaps is not resampled


@dataclass(frozen=True)
class Piece:
    """A piece of a sound track: samples, or whole seconds of silence."""

    time: float  # of its first sample, seconds on the file's clock
    rate: int  # samples per second
    samples: np.ndarray  # (n,) float32
    silent_seconds: int = 0  # instead of samples: they need no resampling, which at 768 kHz takes minutes


def place_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yields pieces that follow one another without gap or overlap, each as long as its samples.

    The position is counted in samples from the first piece, so that rounded times do no harm.
    """
    position: _Position | None = None
    waiting: deque[Piece] = deque()
    for piece in pieces:
        position = position or _Position(piece)
        waiting.append(piece)
        if len(waiting) > _FOLLOWING:
            yield from position.place(waiting.popleft(), waiting)
    while waiting:
        assert position is not None
        yield from position.place(waiting.popleft(), waiting)


class _Position:
    """Where the next sample goes: a number of samples after a time."""

    def __init__(self, piece: Piece):
        self._start, self._rate, self._count = piece.time, piece.rate, 0

    def place(self, piece: Piece, following: Iterable[Piece]) -> Iterator[Piece]:
        """Yields the silence before a piece, and what of it does not overlap."""
        if piece.rate != self._rate:
            self._start, self._rate, self._count = self._start + self._count / self._rate, piece.rate, 0
        missing = self._find_missing(piece, following)
        if missing > 0:
            yield from self._make_silence(piece, missing)
        kept = piece.samples[-missing:] if missing < 0 else piece.samples
        self._count += max(missing, 0) + len(kept)
        if len(kept):
            yield replace(piece, samples=kept)

    def _find_missing(self, piece: Piece, following: Iterable[Piece]) -> int:
        """Samples missing before a piece; negative: its first samples that overlap."""
        missing = round((piece.time - self._start) * self._rate) - self._count
        if abs(missing) <= _SHIFT * self._rate:
            return 0
        sign, count = (1 if missing > 0 else -1), self._count + len(piece.samples)
        for later in following:
            if later.rate != self._rate:
                break
            if sign * (round((later.time - self._start) * self._rate) - count) <= _SHIFT * self._rate:
                return 0
            count += len(later.samples)
        return missing

    def _make_silence(self, piece: Piece, missing: int) -> Iterator[Piece]:
        """Yields silence, a second at a time; the middle of a long gap as a number of whole seconds."""
        rate, none = self._rate, np.zeros(0, np.float32)
        seconds = max(missing // rate - 2, 0) if missing > _LONG_GAP * rate else 0
        if seconds:
            yield Piece(piece.time, rate, np.zeros(rate, np.float32))  # earlier sound decays in the resampler
            yield Piece(piece.time, rate, none, seconds)
        for first in range(rate * (seconds + bool(seconds)), missing, rate):
            yield Piece(piece.time, rate, np.zeros(min(rate, missing - first), np.float32))


def resample_pieces(pieces: Iterable[Piece]) -> Iterator[tuple[float, np.ndarray]]:
    """Yields placed pieces at 22050 Hz, (n,) float32, all with the time of the first sample.

    Equal to `librosa.load`, to the bit for PCM, while the rate stays; where it changes, resampling begins
    anew.
    """
    start, section = None, None
    for piece in pieces:
        start = piece.time if start is None else start
        if section is None or section.rate != piece.rate:
            yield from [] if section is None else [(start, section.finish())]
            section = _Section(piece.rate)
        for _ in range(piece.silent_seconds):
            yield start, section.add_silent_second()
        if len(piece.samples):
            yield start, section.add(piece.samples)
    if section is not None and start is not None:
        yield start, section.finish()


class _Section:
    """Resampling of a part of a track that has one rate."""

    def __init__(self, rate: int):
        self.rate = rate
        self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self._given, self._made = 0, 0

    def add(self, samples: np.ndarray) -> np.ndarray:
        """Resamples the next samples."""
        made = self._resampler.resample_chunk(samples)
        self._given, self._made = self._given + len(samples), self._made + len(made)
        return made

    def add_silent_second(self) -> np.ndarray:
        """Skips a second."""
        self._given, self._made = self._given + self.rate, self._made + SAMPLE_RATE
        return np.zeros(SAMPLE_RATE, np.float32)

    def finish(self) -> np.ndarray:
        """Returns the rest, so that the length is librosa's: rounded up."""
        length = int(np.ceil(self._given * (SAMPLE_RATE / self.rate)))
        rest = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        rest = rest[: max(length - self._made, 0)]
        return np.pad(rest, (0, max(length - self._made - len(rest), 0)))
