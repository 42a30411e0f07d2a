"""The sound of a clip and its mel picture, as the released code makes it of a whole clip with librosa."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import librosa
import numpy as np
import soxr
from matplotlib import colormaps
from matplotlib.colors import Normalize

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.containers import best_stream, check_seconds, opened
from lipfd_jax.vocabulary import COLOUR_MAP

SAMPLE_RATE = 22050
FFT_SIZE = 2048
HOP = 512
BANDS = 128
COLUMNS_PER_SECOND = SAMPLE_RATE / HOP
SILENCE = 1e-4  # a sound whose samples all stay below this (-80 dBFS) is called silent
_RATES = range(1000, 768_001)  # sample rates a real file may have
_GAP = 0.1  # seconds missing in a track from which on they are filled, to keep what follows in time
_BLOCK = 4096  # mel columns per step (95 s), so that a long clip's spectrum never lies in memory as a whole


@dataclass(frozen=True)
class Sound:
    """A sound track as the model hears it."""

    samples: np.ndarray  # (n,) float32 at 22050 Hz, mono
    start: float  # time of the first sample on the file's clock, seconds

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear."""
        return float(np.abs(self.samples).max()) < SILENCE


def read_sound(path: Path) -> Sound:
    """The sound track of a wav or video: mono, resampled to 22050 Hz.

    Decoded and resampled piece by piece; the samples equal those of `librosa.load`, to the bit for PCM.
    Raises ClipError where there is no track, where it holds NaN or infinite samples, is shorter than one mel
    column (2048 samples) or longer than `MAX_SECONDS`.
    """
    with opened(path) as container:
        stream = best_stream(path, container, "audio")
        rate = stream.rate
        if rate not in _RATES:
            raise ClipError(f"{path}: sound at {rate} Hz, expected {_RATES.start} to {_RATES.stop - 1}")
        pieces: list[np.ndarray] = []
        start, count = None, 0
        resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        for time, mono in _mono_pieces(container, stream):
            start = time if start is None else start
            missing = round((time - start) * rate) - count
            check_seconds(path, (count + max(missing, 0) + len(mono)) / rate)
            if missing > _GAP * rate:
                mono = np.concatenate([np.zeros(missing, np.float32), mono])
            if not np.isfinite(mono).all():
                raise ClipError(f"{path}: sound with NaN or infinite samples")
            count += len(mono)
            pieces.append(resampler.resample_chunk(mono))
        pieces.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    length = int(np.ceil(count * (SAMPLE_RATE / rate)))  # librosa's rounding
    if length < FFT_SIZE:
        raise ClipError(
            f"{path}: {count} samples of sound ({count / rate:.4f} s), too short for a mel picture"
        )
    return Sound(librosa.util.fix_length(np.concatenate(pieces), size=length), float(start))


def _mono_pieces(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[tuple[float, np.ndarray]]:
    """Decoded pieces of a track as (time in seconds, (n,) float32 mean of the channels)."""
    to_float = av.AudioResampler(format="fltp")
    clock = 0.0
    for frame in container.decode(stream):
        clock = frame.time if frame.time is not None else clock
        for piece in to_float.resample(frame):
            samples = piece.to_ndarray()  # (channels, n)
            yield clock, samples.mean(axis=0) if len(samples) > 1 else samples[0]
            clock += samples.shape[1] / stream.rate


def mel_picture(samples: np.ndarray) -> np.ndarray:
    """The mel picture of a whole clip: (128, columns, 3) uint8 RGB, column k centred on sample 512 k.

    Decibels over the clip's quietest value, in viridis from the clip's own minimum to its maximum, lowest
    band in row 0, as in the released code. (That one writes the picture to a file and reads it back as
    float32 k/255; times 255 and cut off this gives k again for each of the 256 values: no file is needed.)
    """
    decibels = librosa.power_to_db(_mel(samples), ref=np.min)
    return np.ascontiguousarray(colormaps[COLOUR_MAP](Normalize()(decibels), bytes=True)[..., :3])


def _mel(samples: np.ndarray) -> np.ndarray:
    """The mel spectrogram (128, columns) float32; equal to librosa's centred one, made block by block."""
    padded = np.pad(samples, FFT_SIZE // 2)
    columns = 1 + len(samples) // HOP
    blocks = [
        librosa.feature.melspectrogram(
            y=padded[first * HOP : (min(first + _BLOCK, columns) - 1) * HOP + FFT_SIZE],
            sr=SAMPLE_RATE,
            n_fft=FFT_SIZE,
            hop_length=HOP,
            n_mels=BANDS,
            center=False,
        )
        for first in range(0, columns, _BLOCK)
    ]
    return np.concatenate(blocks, axis=1)
