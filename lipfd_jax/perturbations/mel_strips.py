"""Perturbations of a window's sound on its mel strip, for records, which hold no samples.

A strip (rows, columns, 3) uint8 RGB shows decibels as colours, row 0 the lowest mel band. Colours are mapped
back to loudness, a float32 array (rows, columns) from 0 (the quietest value of the clip's mel image) to 1
(its loudest), perturbed there, and coloured again. The scale is taken to span 80 dB: librosa keeps that much,
and every clip with a pause or an empty band uses all of it.
"""

import functools

import cv2
import numpy as np

from lipfd_jax.preprocessing.mel import BANDS, COLUMNS_PER_SECOND, FFT_SIZE, SAMPLE_RATE, mel_frequencies
from lipfd_jax.vocabulary import COLOUR_WEIGHTS, FRAMES_PER_WINDOW, colour_table

RANGE = 80.0  # decibels from loudness 0 to 1
USUAL_RATE = 25.0  # frames per second where a record has no rate


def read_loudness(strip: np.ndarray) -> np.ndarray:
    """Loudness (rows, columns) float32 of a strip; exact but for four of 256 steps, off by one (0.3 dB)."""
    return _loudness_table()[_colour_key(strip)]


def draw_strip(values: np.ndarray) -> np.ndarray:
    """Draws loudness (rows, columns), clipped to 0..1, as a strip (rows, columns, 3) uint8 RGB."""
    return colour_table()[np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)]


def shrink_strip(strip: np.ndarray, fps: float) -> np.ndarray:
    """Shrinks the mel half of a composite to about the size of its strip; strips stay as they are."""
    if len(strip) == BANDS:
        return strip
    columns = max(1, round(FRAMES_PER_WINDOW / (fps or USUAL_RATE) * COLUMNS_PER_SECOND))
    return cv2.resize(strip, (columns, BANDS))


def apply_gain(values: np.ndarray, decibels: float) -> np.ndarray:
    """Makes the window louder or quieter than the rest of its clip.

    Approximates a passage at another distance or recording level. (A gain on the whole clip would leave no
    trace: the mel image spans the clip's own quietest to loudest value.) Values at the bottom of the scale
    stay there, as the sound may be anything below it; values above the top are clipped, as in an overdriven
    recording.
    """
    return np.where(values > 0, np.clip(values + decibels / RANGE, 0, 1), 0).astype(np.float32)


def add_noise(values: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """Adds white noise whose mean power in each band is `decibels` below the loudest value of the clip.

    Approximates noise on the whole clip: its power adds to the sound's, fluctuates in each band the more the
    fewer frequencies the band averages, and the scale begins at the quietest noise, which darkens the rest.
    Not modelled: the correlation of neighbouring columns and bands, which share samples.
    """
    freedom = _independent_bins()[:, None]
    fluctuation = rng.standard_gamma(np.broadcast_to(freedom, values.shape), dtype=np.float32) / freedom
    noisy = np.log10(10 ** (RANGE / 10 * values) + 10 ** ((RANGE - decibels) / 10) * fluctuation)
    floor = max(0.0, (RANGE - decibels - _DIP) / RANGE)
    return np.clip((noisy * 10 / RANGE - floor) / (1 - floor), 0, 1).astype(np.float32)


def limit_band(values: np.ndarray, hertz: float = 8000.0) -> np.ndarray:
    """Empties the bands centred above a frequency, as in sound that was once sampled at twice that rate.

    Approximates resampling: the band across the limit, which would keep a part, is kept or emptied whole.
    """
    limited = values.copy()
    limited[band_centres() > hertz] = 0
    return limited


def trim_silence(values: np.ndarray, decibels: float = 60.0) -> np.ndarray:
    """Cuts off leading columns where all is `decibels` or more below the loudest value of the clip.

    Approximates a clip whose leading silence was trimmed, where sound comes early against the frames: the
    rest moves to the left. Columns that would follow on the right are not in the record; the last column is
    repeated there. Windows that begin in sound, or have none, stay as they are (in a trimmed clip theirs
    would move as well, by a silence of unknown length).
    """
    heard = np.flatnonzero((values > 1 - decibels / RANGE).any(axis=0))
    if not len(heard):
        return values
    silent = heard[0]
    return np.pad(values[:, silent:], ((0, 0), (0, silent)), mode="edge")


@functools.cache
def band_centres() -> np.ndarray:
    """Centre frequencies (128,) of the mel bands in hertz, rising."""
    return mel_frequencies(BANDS + 2)[1:-1]


_DIP = 16.0  # decibels by which the quietest value of the noise in a clip is below its mean


@functools.cache
def _independent_bins() -> np.ndarray:
    """Independent values averaged by each band: half its width (a triangle) by that of the FFT window."""
    edges = mel_frequencies(BANDS + 2)
    bins = (edges[2:] - edges[:-2]) / 2 / (1.2 * SAMPLE_RATE / FFT_SIZE)
    return np.maximum(bins, 2).astype(np.float32)


def _colour_key(pixels: np.ndarray) -> np.ndarray:
    """A number that rises along the colour map and is linear in colour: blends fall between their parts."""
    return pixels.astype(np.int32) @ np.array(COLOUR_WEIGHTS, np.int32)


@functools.cache
def _loudness_table() -> np.ndarray:
    """Loudness by `_colour_key`, float32."""
    rising = np.maximum.accumulate(_colour_key(colour_table()))  # stays or falls by 1 in three places
    keys, levels = np.unique(rising, return_index=True)
    return np.interp(np.arange(255 * sum(COLOUR_WEIGHTS) + 1), keys, levels / 255).astype(np.float32)
