"""Changes to the sound of a window, made on its mel strip, where the samples are no longer at hand.

A strip (rows, columns, 3) uint8 RGB shows decibels in colours, row 0 the lowest mel band. The colours are
taken back to loudness, a float32 array (rows, columns) from 0 (the quietest the clip's picture shows) to 1
(its loudest value), changed there, and coloured again. The scale is taken to span 80 dB: librosa keeps so
much and every clip with a pause in it or an empty band uses all of it.
"""

import functools

import cv2
import numpy as np

from lipfd_jax.preprocessing.audio import COLUMNS_PER_SECOND
from lipfd_jax.preprocessing.mel import BANDS, FFT_SIZE, SAMPLE_RATE, mel_frequencies
from lipfd_jax.vocabulary import COLOUR_WEIGHTS, FRAMES_PER_WINDOW, colour_table

RANGE = 80.0  # decibels from loudness 0 to 1
USUAL_RATE = 25.0  # frames per second where a record does not say


def loudness(strip: np.ndarray) -> np.ndarray:
    """Takes a strip's colours back to loudness; exact but for four of 256 steps, off by one (0.3 dB)."""
    return _levels()[_key(strip)]


def coloured(values: np.ndarray) -> np.ndarray:
    """Draws loudness (rows, columns), cut off at 0 and 1, as a strip (rows, columns, 3) uint8 RGB."""
    return colour_table()[np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)]


def native(strip: np.ndarray, fps: float) -> np.ndarray:
    """Shrinks the mel half of a composite to about the strip it was made of; strips stay as they are."""
    if len(strip) == BANDS:
        return strip
    columns = max(1, round(FRAMES_PER_WINDOW / (fps or USUAL_RATE) * COLUMNS_PER_SECOND))
    return cv2.resize(strip, (columns, BANDS))


def gain(values: np.ndarray, decibels: float) -> np.ndarray:
    """Makes the window louder or quieter than the rest of its clip.

    Approximates a passage at another distance or recording level. (A gain on the whole clip would leave no
    trace: the picture spans the clip's own quietest to loudest value.) What is at the bottom of the scale
    stays there, as it may be anything below it; what rises above the top is cut off, as by an overdriven
    recording.
    """
    return np.where(values > 0, np.clip(values + decibels / RANGE, 0, 1), 0).astype(np.float32)


def noise(values: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """Adds white noise whose mean power in each band lies `decibels` below the loudest value of the clip.

    Approximates noise on the whole clip: its power adds to the sound's, fluctuates in each band as much as
    the band averages few frequencies, and the scale begins at the quietest noise, so that all else is drawn
    darker. Not modelled: the correlation of neighbouring columns and bands, which share samples.
    """
    freedom = _independent_bins()[:, None]
    fluctuation = rng.standard_gamma(np.broadcast_to(freedom, values.shape), dtype=np.float32) / freedom
    noisy = np.log10(10 ** (RANGE / 10 * values) + 10 ** ((RANGE - decibels) / 10) * fluctuation)
    floor = max(0.0, (RANGE - decibels - _DIP) / RANGE)
    return np.clip((noisy * 10 / RANGE - floor) / (1 - floor), 0, 1).astype(np.float32)


def band_limit(values: np.ndarray, hertz: float = 8000.0) -> np.ndarray:
    """Empties the bands centred above a frequency, as in sound that was once sampled at twice that rate.

    Approximates resampling: the band across the limit, which would keep a part, is kept or emptied whole.
    """
    limited = values.copy()
    limited[centres() > hertz] = 0
    return limited


def trim(values: np.ndarray, decibels: float = 60.0) -> np.ndarray:
    """Cuts off leading columns where all is `decibels` or more below the loudest value of the clip.

    Approximates a clip whose leading silence was trimmed, so that sound comes early against the picture: the
    rest moves to the left. What would follow on the right is not in the record; the last column is held
    there. Windows that begin in sound, or have none, stay as they are (in a trimmed clip theirs would move
    as well, by a silence they do not know).
    """
    heard = np.flatnonzero((values > 1 - decibels / RANGE).any(axis=0))
    if not len(heard):
        return values
    silent = heard[0]
    return np.pad(values[:, silent:], ((0, 0), (0, silent)), mode="edge")


@functools.cache
def centres() -> np.ndarray:
    """Centre frequencies (128,) of the mel bands in hertz, rising."""
    return mel_frequencies(BANDS + 2)[1:-1]


_DIP = 16.0  # decibels by which the quietest value of the noise in a clip lies below its mean


@functools.cache
def _independent_bins() -> np.ndarray:
    """How many independent values each band averages: half its width (a triangle), by the window's width."""
    edges = mel_frequencies(BANDS + 2)
    bins = (edges[2:] - edges[:-2]) / 2 / (1.2 * SAMPLE_RATE / FFT_SIZE)
    return np.maximum(bins, 2).astype(np.float32)


def _key(pixels: np.ndarray) -> np.ndarray:
    """A number that rises along the colour map and is linear in colour: blends fall between their parts."""
    return pixels.astype(np.int32) @ np.array(COLOUR_WEIGHTS, np.int32)


@functools.cache
def _levels() -> np.ndarray:
    """Loudness by `_key`, float32."""
    rising = np.maximum.accumulate(_key(colour_table()))  # stays or falls by 1 in three places
    keys, levels = np.unique(rising, return_index=True)
    return np.interp(np.arange(255 * sum(COLOUR_WEIGHTS) + 1), keys, levels / 255).astype(np.float32)
