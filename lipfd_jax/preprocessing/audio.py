"""Sound of a clip and its mel image, computed as the released code does with librosa."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.channels import split_channels, take_channel
from lipfd_jax.preprocessing.clock import StreamClock
from lipfd_jax.preprocessing.clock_reading import read_clock
from lipfd_jax.preprocessing.containers import (
    Damage,
    check_seconds,
    decode_frames,
    open_container,
)
from lipfd_jax.preprocessing.mel import FFT_SIZE, HOP, SAMPLE_RATE, mel_power, to_decibels
from lipfd_jax.preprocessing.sound_placement import Piece, place_pieces, resample_pieces
from lipfd_jax.preprocessing.stream_choice import choose_audio
from lipfd_jax.vocabulary import COLOUR_MAP

LOUDEST = 1e6  # full scale is 1; beyond 1e16 the power overflows and the mel image is black
SILENCE = 1e-4  # sound with all samples below this (-80 dBFS) is silent
_ROUNDED = 5e-4  # seconds by which an extrapolated time may be rounded
_RATES = range(1000, 768_001)  # sample rates a real file may have
_BLOCK = 4096  # mel columns per step (95 s), so that a long clip's spectrum is never in memory as a whole


@dataclass(frozen=True)
class Sound:
    """Sound track of a clip, resampled for the model."""

    samples: np.ndarray  # (n,) float32 at 22050 Hz, mono
    start: float  # time of the first sample on the file's clock, seconds
    warnings: tuple[str, ...] = ()  # how it was placed in time, where that needs saying

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def is_silent(self) -> bool:
        """Whether all samples are below SILENCE."""
        return float(np.abs(self.samples).max()) < SILENCE


def read_sound(path: Path, damage: Damage | None = None, clock: StreamClock | None = None) -> Sound:
    """Reads the sound track of a wav or video: mono, resampled to 22050 Hz.

    Decodes and resamples it piece by piece; the samples equal those of `librosa.load`, to the bit for PCM.
    `clock` is the file's, read if it isn't given. Raises ClipError if there is no track, if it has NaN,
    infinite or absurd samples, is shorter than one mel column (2048 samples) or longer than `MAX_SECONDS`.
    """
    starts, pieces = zip(*read_sound_pieces(path, damage=damage, clock=clock), strict=True)
    samples = np.concatenate(pieces)
    if len(samples) < FFT_SIZE:
        raise ClipError(f"{path}: {len(samples)} samples of sound at 22050 Hz, too short for a mel image")
    return Sound(samples, starts[0])


def read_sound_pieces(
    path: Path,
    longest: float | None = None,
    damage: Damage | None = None,
    clock: StreamClock | None = None,
) -> Iterator[tuple[float, np.ndarray]]:
    """Yields a sound track of any length in pieces (time of its first sample, (n,) float32 at 22050 Hz).

    Rate and channels are those of the decoded frames, which may differ from the header's and change on the
    way. Gaps are filled with silence, overlaps dropped. Yields at least one piece, all with the same time:
    seconds on the file's clock. Raises ClipError as `read_sound` does, beyond `longest` seconds (default:
    `MAX_SECONDS`), but not for a short track.
    """
    clock = clock or read_clock(path).audio
    with open_container(path) as container:
        if clock is None:
            choose_audio(path, container)  # raises where there is no track
            raise ClipError(f"{path}: no sound track")
        frames = decode_frames(path, container, container.streams[clock.index], damage, clock)
        count = 0
        for start, samples in resample_pieces(place_pieces(_mono_pieces(path, frames, clock.channel))):
            count += len(samples)
            check_seconds(path, count / SAMPLE_RATE, longest)
            yield start, samples
        if not count:
            yield 0.0, np.zeros(0, np.float32)


def _check_samples(path: Path, mono: np.ndarray) -> None:
    loudest = float(np.abs(mono).max(initial=0))  # NaN if one sample is
    if not np.isfinite(loudest):
        raise ClipError(f"{path}: sound with NaN or infinite samples")
    if loudest > LOUDEST:
        raise ClipError(
            f"{path}: sound with samples of {loudest:.0e}, expected -1 to 1; a damaged float wav?"
        )


class _RateStamps:
    """Separates stored times of a track from those that ffmpeg extrapolates at the track's first rate.

    A block of a transport stream holds several frames and one time. After a change of rate the other times
    in it are wrong by up to the length of the block.
    """

    def __init__(self) -> None:
        self._first_rate, self._next = 0, -np.inf

    def trusts(self, frame: av.AudioFrame) -> bool:
        """Whether the time of the next frame, if it has one, is its own."""
        self._first_rate = self._first_rate or frame.sample_rate
        if frame.time is None:
            return False
        extrapolated = frame.sample_rate != self._first_rate and abs(frame.time - self._next) < _ROUNDED
        self._next = frame.time + frame.samples / self._first_rate
        return not extrapolated


def _mono_pieces(path: Path, frames: Iterable[av.AudioFrame], channel: str) -> Iterator[Piece]:
    """Yields decoded pieces of a track, in mono: one channel, or the mean of all. Raises ClipError."""
    time, converter, form = 0.0, av.AudioResampler(format="flt"), None
    stamps = _RateStamps()
    for frame in frames:
        if form != (form := (frame.format.name, frame.layout.name, rate := frame.sample_rate)):
            if rate not in _RATES:
                raise ClipError(f"{path}: sound at {rate} Hz, expected {_RATES.start} to {_RATES.stop - 1}")
            converter = av.AudioResampler(format="flt")
        time = frame.time if stamps.trusts(frame) else time
        for piece in converter.resample(frame):
            samples = split_channels(piece)  # (channels, n)
            mono = take_channel(samples, piece.layout, channel)
            _check_samples(path, mono)
            yield Piece(time, rate, mono)
            time += samples.shape[1] / rate


def make_mel_image(samples: np.ndarray) -> np.ndarray:
    """Returns the mel image of a whole clip: (128, columns, 3) uint8 RGB, column k centred on sample 512 k.

    Decibels above the clip's quietest value, in COLOUR_MAP from the clip's own minimum to its maximum, lowest
    band in row 0, as in the released code. (That code writes the image to a file and reads it back as float32
    k/255; times 255 and truncated this is k again for all 256 values, so no file is needed.)
    """
    return colour_mel(np.concatenate(list(compute_mel_blocks([samples])), axis=1))


def colour_mel(power: np.ndarray) -> np.ndarray:
    """Returns the mel image (128, columns, 3) uint8 RGB of mel power (128, columns), in its own range."""
    return np.ascontiguousarray(colormaps[COLOUR_MAP](Normalize()(to_decibels(power)), bytes=True)[..., :3])


def compute_mel_blocks(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the mel power of a track given in pieces, as blocks (128, up to 4096) float32.

    Concatenated they are librosa's centred mel spectrogram, regardless of the pieces.
    """
    whole_block = (_BLOCK - 1) * HOP + FFT_SIZE
    held = np.zeros(FFT_SIZE // 2, np.float32)
    waiting: list[np.ndarray] = []
    for piece in pieces:
        waiting.append(piece)
        if len(held) + sum(map(len, waiting)) < whole_block + FFT_SIZE:
            continue
        held, waiting = np.concatenate([held, *waiting]), []
        while len(held) >= whole_block + FFT_SIZE:  # the last block may be shorter
            yield mel_power(held[:whole_block])
            held = held[_BLOCK * HOP :]
    held = np.concatenate([held, *waiting, np.zeros(FFT_SIZE // 2, np.float32)])
    columns = 1 + (len(held) - FFT_SIZE) // HOP
    for first in range(0, columns, _BLOCK):
        yield mel_power(held[first * HOP : (min(first + _BLOCK, columns) - 1) * HOP + FFT_SIZE])
