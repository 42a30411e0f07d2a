"""Sound tracks of any length, read once: mel power, loudness, and speech detection."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from lipfd_jax.preprocessing.audio import (
    SAMPLE_RATE,
    SILENCE,
    colour_mel,
    compute_mel_blocks,
    read_sound_pieces,
)
from lipfd_jax.preprocessing.clock import StreamClock
from lipfd_jax.preprocessing.composite import cut_mel_strip
from lipfd_jax.preprocessing.containers import Damage
from lipfd_jax.preprocessing.mel import COLUMNS_PER_SECOND
from lipfd_jax.preprocessing.voice import RATE, STEP, STEP_SECONDS, VoiceDetector

CONTEXT_SECONDS = 8.0  # sound over which a window's mel is scaled: the training clips' length
WHOLE_SECONDS = 8.5  # tracks up to this long are scaled as a whole; clips of 8 s often have a little more
_SPEECH_STRICTNESS = 2  # of the voice detector
_SPEECH_REACH = 0.4  # seconds around a moment in which ...
_SPEECH_SHARE = 0.3  # ... this share must be speech
_PAUSE_SECONDS = 1.0  # shorter pauses, between words or at the ends, belong to speech
_SILENCE_REACH = 0.25  # seconds around a silent moment, all of which must be silent
_DAMAGE_REACH = 0.5  # seconds around a damaged place that are not scored


@dataclass(frozen=True)
class SoundTrack:
    """Measurements of a sound track."""

    start: float  # time of the first sample on the file's clock, seconds
    blocks: tuple[np.ndarray, ...]  # (128, up to 4096) float32 each: mel power, 43 columns a second
    loudness: np.ndarray  # (steps,) float32: root mean square of each 30 ms
    peak: np.ndarray  # (steps,) float32: largest absolute sample of each 30 ms
    voice: np.ndarray  # (steps,) bool: whether the speech detector hears speech in each 30 ms
    damaged: tuple[float, ...] = ()  # places a decoder reports, seconds from the first sample; NaN: unknown
    _images: dict = field(default_factory=dict, repr=False, compare=False)  # the latest mel image

    @property
    def columns(self) -> int:
        """Number of mel columns."""
        return sum(block.shape[1] for block in self.blocks)

    @property
    def end(self) -> float:
        """Time of its end on the file's clock, seconds."""
        return self.start + len(self.loudness) * STEP_SECONDS

    def mel_power(self, first: int, last: int) -> np.ndarray:
        """Mel power of columns first..last-1, (128, last - first) float32."""
        width = self.blocks[0].shape[1]
        parts = [
            block[:, max(first - index * width, 0) : max(last - index * width, 0)]
            for index, block in enumerate(self.blocks)
        ]
        return np.concatenate(parts, axis=1)

    def cut_mel_image(self, first: int, last: int) -> np.ndarray:
        """Mel image (128, last - first, 3) uint8 RGB of columns first..last-1, scaled over 8 s around them.

        A track of up to 8.5 s is scaled as a whole, exactly as in records.
        """
        begin, end = find_scaling_context(first, last, self.columns)
        if (begin, end) not in self._images:
            self._images.clear()
            self._images[begin, end] = colour_mel(self.mel_power(begin, end))
        return cut_mel_strip(self._images[begin, end], first - begin, last - begin)


def find_scaling_context(first: int, last: int, columns: int) -> tuple[int, int]:
    """Mel columns (first, last + 1) over which those of a window are scaled: 8 s around it."""
    if columns <= WHOLE_SECONDS * COLUMNS_PER_SECOND:
        return 0, columns
    width = round(CONTEXT_SECONDS * COLUMNS_PER_SECOND)
    begin = int(np.clip((first + last - width) // 2, 0, columns - width))
    return begin, begin + width


def read_sound_track(path: Path, longest: float, clock: StreamClock | None = None) -> SoundTrack:
    """Reads and measures a sound track once, piece by piece; an hour takes about 80 MB.

    `clock` is the file's, read if it isn't given.

    Raises ClipError for a file without one, for one that can't be decoded, and beyond `longest` seconds.
    """
    meter, damage = _SoundMeter(), Damage("keep")
    blocks = tuple(compute_mel_blocks(meter.measure(read_sound_pieces(path, longest, damage, clock))))
    loudness, peak, voice = meter.finish()
    unknown = [float("nan")] * (damage.places - len(damage.times))
    places = (*(time - meter.start for time in damage.times), *unknown)
    return SoundTrack(meter.start, blocks, loudness, peak, voice, places)


class _SoundMeter:
    """Measures loudness and speech of the pieces that pass through it."""

    def __init__(self):
        self.start = 0.0
        self._detector = VoiceDetector(_SPEECH_STRICTNESS)
        self._resampler = soxr.ResampleStream(SAMPLE_RATE, RATE, 1, dtype="float32")
        self._held = np.zeros(0, np.float32)
        self._found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def measure(self, pieces: Iterable[tuple[float, np.ndarray]]) -> Iterator[np.ndarray]:
        """Yields the same samples, and measures them."""
        waiting: list[np.ndarray] = []
        for self.start, piece in pieces:
            waiting.append(piece)
            if sum(map(len, waiting)) >= SAMPLE_RATE:  # a second at once takes less time
                self._measure_samples(self._resampler.resample_chunk(np.concatenate(waiting)))
                waiting.clear()
            yield piece
        rest = np.concatenate([np.zeros(0, np.float32), *waiting])
        self._measure_samples(self._resampler.resample_chunk(rest, last=True))

    def finish(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns loudness, peak and speech, each (steps,)."""
        if len(self._held):
            self._measure_samples(np.zeros(STEP - len(self._held), np.float32))
        loudness, peak, voice = zip(*self._found, strict=True) if self._found else ([], [], [])
        none = np.zeros(0, np.float32)
        return (
            np.concatenate([none, *loudness]),
            np.concatenate([none, *peak]),
            np.concatenate([np.zeros(0, bool), *voice]),
        )

    def _measure_samples(self, samples: np.ndarray) -> None:
        held = np.concatenate([self._held, samples])
        count = len(held) // STEP
        rows = held[: count * STEP].reshape(count, STEP)
        self._held = held[count * STEP :]
        if not count:
            return
        voice = self._detector.detect(rows)
        self._found.append((np.sqrt((rows**2).mean(axis=1)), np.abs(rows).max(axis=1), voice))


def find_sound_reasons(sound: SoundTrack | None, middles: np.ndarray) -> np.ndarray:
    """Reasons (n,) not to score these times (n,) in seconds on the file's clock; "" for none.

    "no_sound": outside the track; "silent": nothing above -80 dBFS within a quarter of a second; "damaged":
    within half a second of a place that the decoder reports; "no_speech": less than a third of the 0.8 s
    around is speech. Pauses of up to a second belong to speech.
    """
    if sound is None or not len(sound.voice):
        return np.full(len(middles), "no_sound")
    index, inside = _find_steps(sound, middles)
    return np.where(inside, _reasons_by_step(sound)[index], "no_sound")


def is_spoken(sound: SoundTrack, times: np.ndarray) -> np.ndarray:
    """(n,) bool: whether the speech detector hears speech at these times (n,) on the file's clock."""
    if not len(sound.voice):
        return np.zeros(len(times), bool)
    index, inside = _find_steps(sound, times)
    return inside & sound.voice[index]


def _find_steps(sound: SoundTrack, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps (n,) of these times (n,), clipped to the track, and whether (n,) they are inside of it."""
    index = np.floor((times - sound.start) / STEP_SECONDS).astype(int)
    last = len(sound.voice) - 1
    return np.clip(index, 0, last), (index >= 0) & (index <= last)


def _reasons_by_step(sound: SoundTrack) -> np.ndarray:
    """(steps,): the reason of each 30 ms."""
    speech = _share_within(sound.voice, _SPEECH_REACH) >= _SPEECH_SHARE
    for first, last, value in find_runs(speech):
        if not value and (last - first) * STEP_SECONDS < _PAUSE_SECONDS:
            speech[first:last] = True
    silent = _share_within(sound.peak < SILENCE, _SILENCE_REACH) >= 1
    reasons = np.full(len(speech), "", dtype="<U12")
    for first, last, value in find_runs(speech):
        if not value:  # one reason for the whole pause
            reasons[first:last] = "silent" if silent[first:last].mean() > 0.5 else "no_speech"
    reach = round(_DAMAGE_REACH / STEP_SECONDS)
    for place in sorted({round(place / STEP_SECONDS) for place in sound.damaged if np.isfinite(place)}):
        reasons[max(place - reach, 0) : max(place + reach, 0)] = "damaged"
    if np.isnan(sound.damaged).any():  # it could be anywhere
        reasons[:] = "damaged"
    return reasons


def find_runs(values: np.ndarray) -> list[tuple[int, int, Any]]:
    """Runs of equal values (n,) as (first, last + 1, value)."""
    if not len(values):
        return []
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1, [len(values)]])
    return [(int(a), int(b), values[a].item()) for a, b in itertools.pairwise(starts)]


def _share_within(flags: np.ndarray, reach: float) -> np.ndarray:
    """(steps,): the share of true flags within `reach` seconds of each."""
    steps = round(reach / STEP_SECONDS)
    total = np.concatenate([[0], np.cumsum(flags)])
    first = np.maximum(np.arange(len(flags)) - steps, 0)
    last = np.minimum(np.arange(len(flags)) + steps + 1, len(flags))
    return (total[last] - total[first]) / (last - first)
