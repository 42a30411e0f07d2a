"""Comparison of two recordings of the same sound: the time shift between them, or that they are unrelated.

Band envelopes are cross-correlated piece by piece, so that codecs, gains, rates and noise hardly matter; the
pieces also show a shift that changes. The limits were chosen on speech (docs/windows.md).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.fft

from lipfd_jax.preprocessing.mel import SAMPLE_RATE

_HOP, _WINDOW = 256, 1024  # samples of an envelope's step (11.6 ms) and spectrum
_RATE = SAMPLE_RATE / _HOP
_BANDS, _LOWEST, _HIGHEST = 12, 150.0, 3800.0  # Hz; what a telephone transmits
_FLOOR, _LEAKAGE = 1e-3, 1e-5  # share of a band's and of the loudest band's level that counts as silence
_AT_ONCE = 2048  # steps whose spectra are in memory together
_PIECE, _APART, _MOST = 4.0, 2.0, 24  # seconds of a piece and from one to the next; number of pieces
_SHORTEST = 2.0  # seconds of sound in both, for a comparison
_INSIDE = 0.75  # share of a piece that must lie within the other recording
_LIVELY = 0.3  # envelopes vary by this much (decades) in speech, noise and hum by less
_ALIKE, _UNLIKE = 0.55, 0.45  # correlation of related pieces, and below which pieces are unrelated
_EQUAL = 0.95  # pieces this close to the best one are as good
_SAME = 0.9  # correlation of samples without a shift above which no envelopes are needed
_BLOCK = 2 * SAMPLE_RATE  # samples of such a block
_FAINT = 1e-2  # share of the loudest block's power below which a block is not compared

TOLERANCE = 0.04  # seconds; a smaller shift is none

Relation = Literal["same", "changing", "unrelated", "unknown"]


@dataclass(frozen=True)
class SoundMatch:
    """How one recording follows another."""

    relation: Relation  # same: one shift fits; changing: it differs from place to place; unknown: undecidable
    shift: float = 0.0  # seconds by which the second recording's moments come later in the first
    likeness: float = 0.0  # median correlation of the pieces, up to 1
    places: tuple[tuple[float, float], ...] = ()  # (seconds in the second, shift there) of each related piece


def match_sounds(first: np.ndarray, second: np.ndarray) -> SoundMatch:
    """Compares two recordings, samples (n,) and (m,) float32 at 22050 Hz.

    The shift d is that for which `second[t]` sounds like `first[t + d]`. Unknown: too short, silent, without
    variation (hum, noise), or alike in too few places.
    """
    if _are_same_samples(first, second):
        return SoundMatch("same", 0.0, 1.0)
    envelopes = [_compute_envelopes(samples) for samples in (first, second)]
    swapped = envelopes[0].shape[1] < envelopes[1].shape[1]  # the pieces are those of the shorter one
    whole, cut = envelopes[::-1] if swapped else envelopes
    starts, length = _list_pieces(cut.shape[1])
    found = [_find_piece(whole, cut[:, start : start + length], start) for start in starts]
    rows = np.array([row for row in found if row is not None]).reshape(-1, 3)
    if swapped:  # the times and shifts of the pieces as seen from the second recording
        rows[:, 0] += rows[:, 1]
        rows[:, 1] *= -1
    return _judge_pieces(rows, length / _RATE)


def _judge_pieces(rows: np.ndarray, seconds: float) -> SoundMatch:
    """Decides from rows (p, 3) of pieces: time, shift, correlation."""
    if seconds < _SHORTEST or not len(rows):
        return SoundMatch("unknown")
    likeness = float(np.median(rows[:, 2]))
    alike = rows[rows[:, 2] >= _ALIKE]
    if len(alike) * 10 <= len(rows) and likeness < _UNLIKE:
        return SoundMatch("unrelated", likeness=likeness)
    if len(alike) * 2 < len(rows):
        return SoundMatch("unknown", likeness=likeness)
    shift = float(np.median(alike[:, 1]))
    places = tuple((float(time), float(at)) for time, at, _ in alike)
    steady = np.abs(alike[:, 1] - shift) <= TOLERANCE
    return SoundMatch("same" if steady.mean() >= 0.8 else "changing", shift, likeness, places)


def _are_same_samples(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the samples are nearly proportional without any shift, in each block of two seconds."""
    length = min(len(first), len(second))
    if length < _BLOCK / 2 or abs(len(first) - len(second)) > length:
        return False
    rows = [np.array_split(samples[:length], max(length // _BLOCK, 1)) for samples in (first, second)]
    powers = np.array([[float(block @ block) for block in blocks] for blocks in rows])
    products = np.array([float(a @ b) for a, b in zip(*rows, strict=True)])
    loud = (powers > _FAINT * powers.max(axis=1, keepdims=True)).any(axis=0)
    return bool(
        powers.max(axis=1).min() > 0 and (products >= _SAME * np.sqrt(powers.prod(axis=0)))[loud].all()
    )


def _compute_envelopes(samples: np.ndarray) -> np.ndarray:
    """Band envelopes (12, steps) float32: logarithmic power, smoothed, minus the mean around."""
    from scipy.ndimage import uniform_filter1d

    padded = np.pad(samples, (_WINDOW // 2, _WINDOW // 2 + _HOP)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    edges = np.rint(np.geomspace(_LOWEST, _HIGHEST, _BANDS + 1) * _WINDOW / SAMPLE_RATE).astype(int)
    edges = np.insert(edges, 0, 0)  # a first band below the compared ones, for hum
    window = np.hanning(_WINDOW).astype(np.float32)
    parts = []
    for start in range(0, len(frames), _AT_ONCE):
        spectrum = scipy.fft.rfft(frames[start : start + _AT_ONCE] * window, axis=1)[:, : edges[-1]]
        parts.append(np.add.reduceat(spectrum.real**2 + spectrum.imag**2, edges[:-1], axis=1))
    power = np.concatenate(parts).T
    level = np.quantile(power, 0.95, axis=1, keepdims=True)
    decades = np.log10(power + _FLOOR * level + _LEAKAGE * level.max() + 1e-12)[1:]
    smooth = uniform_filter1d(decades, 3, axis=1)
    return (smooth - uniform_filter1d(smooth, int(_RATE), axis=1, mode="nearest")).astype(np.float32)


def _list_pieces(steps: int) -> tuple[list[int], int]:
    """Starts and the length of the pieces of a recording of so many steps, spread evenly."""
    length = min(round(_PIECE * _RATE), steps)
    count = int(np.clip((steps - length) // round(_APART * _RATE) + 1, 1, _MOST))
    return np.rint(np.linspace(0, steps - length, count)).astype(int).tolist(), length


def _find_piece(whole: np.ndarray, piece: np.ndarray, start: int) -> tuple[float, float, float] | None:
    """Where a piece occurs: (its time, shift, correlation); None if there is nothing to compare."""
    if np.sqrt((piece**2).mean()) < _LIVELY:
        return None
    found = _correlate_piece(whole, piece)
    lags = np.arange(1 - piece.shape[1], whole.shape[1]) - start
    best = int(found.argmax())
    if found[best] <= 0:
        return None
    near = np.flatnonzero((np.abs(lags) <= TOLERANCE * _RATE) & (found >= _EQUAL * found[best]))
    if len(near) and found[best] >= _ALIKE:  # sounds that repeat: no shift is likeliest
        best = int(near[found[near].argmax()])
    shift = lags[best] + _refine_peak(found[best - 1 : best + 2])
    return (start + piece.shape[1] / 2) / _RATE, float(shift) / _RATE, float(found[best])


def _correlate_piece(whole: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """Normalised correlation (n + m - 1,) of a piece (12, m) with each place of the whole (12, n).

    Entry k: the piece begins at step k - m + 1; zero where too little of it is inside, or nothing is heard.
    """
    n, m = whole.shape[1], piece.shape[1]
    size = scipy.fft.next_fast_len(n + m - 1, real=True)
    spectra = scipy.fft.rfft(whole, size, axis=1) * scipy.fft.rfft(piece[:, ::-1], size, axis=1)
    products = scipy.fft.irfft(spectra.sum(axis=0), size)[: n + m - 1]
    begins = np.arange(1 - m, n)
    sums = [np.append(0, np.cumsum((part**2).sum(axis=0), dtype=np.float64)) for part in (whole, piece)]
    heard = sums[0][np.clip(begins + m, 0, n)] - sums[0][np.clip(begins, 0, n)]
    used = sums[1][np.clip(n - begins, 0, m)] - sums[1][np.clip(-begins, 0, m)]
    inside = np.minimum(begins + m, n) - np.maximum(begins, 0) >= min(_INSIDE * m, n)
    lively = heard >= (0.8 * _LIVELY) ** 2 * m * len(whole)
    found = products / np.sqrt(np.maximum(heard * used, 1e-9))
    return np.where(inside & lively, found, 0)


def _refine_peak(values: np.ndarray) -> float:
    """Place of a peak between its neighbours, in steps from the middle one, by a parabola."""
    if len(values) < 3 or (bend := values[0] - 2 * values[1] + values[2]) >= 0:
        return 0.0
    return float(np.clip((values[0] - values[2]) / (2 * bend), -0.5, 0.5))
