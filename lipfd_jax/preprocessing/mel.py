"""Mel spectrogram, bit-identical to librosa 0.11 without its two-second import."""

import functools

import numpy as np
import scipy.fft

SAMPLE_RATE = 22050
FFT_SIZE = 2048
HOP = 512
COLUMNS_PER_SECOND = SAMPLE_RATE / HOP
BANDS = 128
_COLUMNS_PER_FFT = 32  # as in librosa for windows of this size
_RANGE = 80.0  # decibels kept below the loudest value
_FAINTEST = 1e-10  # lower bound of power
# Slaney's scale: linear up to 1000 Hz, logarithmic above.
_BEND, _PER_MEL = 1000.0, 200.0 / 3
_LOG_STEP = np.log(6.4) / 27.0


def mel_power(samples: np.ndarray) -> np.ndarray:
    """Returns the mel power (128, 1 + (n - 2048) // 512) float32 of samples (n,) float32; n is at least 2048.

    Raises ValueError for samples that are not floats, or are NaN or infinite.
    """
    if samples.dtype.kind != "f" or not np.isfinite(samples).all():
        raise ValueError(f"samples of {samples.dtype}: expected float32, none of them NaN or infinite")
    frames = np.lib.stride_tricks.sliding_window_view(samples, FFT_SIZE)[::HOP].T
    kind = np.result_type(samples.dtype, np.complex64)
    spectrum = np.zeros((1 + FFT_SIZE // 2, frames.shape[1]), kind, order="F")
    for first in range(0, frames.shape[1], _COLUMNS_PER_FFT):
        some = slice(first, first + _COLUMNS_PER_FFT)
        spectrum[:, some] = scipy.fft.rfft(_hann_window() * frames[:, some], axis=-2)
    return np.einsum("ft,mf->mt", np.abs(spectrum) ** 2.0, _mel_filters(), optimize=True)


def mel_columns(begin: float, end: float, sound_start: float) -> tuple[int, int]:
    """Returns the mel columns (first, last + 1) of exactly the time from `begin` to `end`, at least one.

    The columns of a window in records and in detection alike. They may be outside the sound.

    Args:
      begin: when the window's first frame is shown, seconds on the file's clock.
      end: when its last frame's turn is over.
      sound_start: time of the sound's first sample, on which column 0 is centred.
    """
    first, last = np.rint((np.array([begin, end]) - sound_start) * COLUMNS_PER_SECOND).astype(int)
    return int(first), int(max(last, first + 1))


def to_decibels(power: np.ndarray) -> np.ndarray:
    """Converts power to decibels above its lowest value, at most 80 below its highest."""
    found = 10.0 * np.log10(np.maximum(_FAINTEST, power))
    found -= 10.0 * np.log10(np.maximum(_FAINTEST, np.min(power)))
    return np.maximum(found, found.max() - _RANGE)


def mel_frequencies(count: int, highest: float = SAMPLE_RATE / 2) -> np.ndarray:
    """Returns frequencies (count,) float64 in hertz, 0 to `highest` (above 1000), even on the mel scale."""
    bend = _BEND / _PER_MEL
    mels = np.linspace(0.0, bend + np.log(highest / _BEND) / _LOG_STEP, count)
    found = _PER_MEL * mels
    above = mels >= bend
    found[above] = _BEND * np.exp(_LOG_STEP * (mels[above] - bend))
    return found


@functools.cache
def _hann_window() -> np.ndarray:
    """Periodic Hann window, (2048, 1) float64."""
    turn = np.linspace(-np.pi, np.pi, FFT_SIZE + 1)
    return (0.5 * np.cos(0 * turn) + 0.5 * np.cos(turn))[:-1, None]


@functools.cache
def _mel_filters() -> np.ndarray:
    """Triangular filters (128, 1025) float32 of equal area, each between the centres of its neighbours."""
    edges = mel_frequencies(BANDS + 2)
    widths = np.diff(edges)
    ramps = np.subtract.outer(edges, np.fft.rfftfreq(n=FFT_SIZE, d=1.0 / SAMPLE_RATE))
    rising, falling = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    filters *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return filters
