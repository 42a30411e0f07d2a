"""Lip sync without a network: correlation of a mouth with the sound, and the offset between them.

The mouth's motion, its contrast and darkness, and their changes are correlated with the onsets of the sound
(spectral flux) at every shift up to 1.4 s. About half of all shifts are found, see docs/detection.md.
"""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.detection.sound import SoundTrack
from lipfd_jax.faces.mouths import CONTRAST, DARKNESS, MOTION, SYNCED
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack
from lipfd_jax.preprocessing.mel import COLUMNS_PER_SECOND
from lipfd_jax.preprocessing.voice import STEP_SECONDS

GRID = 0.04  # seconds between the compared values
_FEWEST = 25  # measured frames, for a correlation
_SHORTEST = 4.0  # seconds, for an offset
_REACH = 35  # steps of the grid; largest shift of the sound: 1.4 s
_IN_STEP = 3  # steps; smaller shifts count as none
_PEAK = 5  # steps around the best shift that belong to it
_COLUMNS = 4096  # mel columns whose logarithm is taken at once
_FLOOR = 1e-3  # share of the strongest mel power; weaker sounds have no onsets


@dataclass(frozen=True)
class LipSync:
    """How a mouth follows the sound."""

    correlation: float  # between motion and loudness, the best within 0.12 s of no shift; NaN: not measurable
    offset: float = 0.0  # seconds by which the sound would have to be delayed to fit best
    prominence: float = 0.0  # height of that shift's peak, in standard deviations over all others


def measure_lip_sync(track: FaceTrack, scan: Scan, sound: SoundTrack | None) -> LipSync:
    """Correlates a mouth's motion with the sound of the same time."""
    even, mouth = sample_mouth(track, scan)
    if sound is None or not len(even) or not len(sound.loudness):
        return LipSync(float("nan"))
    around = even[0] + GRID * np.arange(-_REACH, len(even) + _REACH)
    middles = sound.start + (np.arange(len(sound.loudness)) + 0.5) * STEP_SECONDS
    loudness = np.interp(around, middles, np.log10(sound.loudness + 1e-4))
    near = slice(_REACH - _IN_STEP, _REACH + _IN_STEP + 1)
    correlation = float(_correlate_signals(mouth[[MOTION]], loudness)[0, near].max())
    if even[-1] - even[0] < _SHORTEST:
        return LipSync(correlation)
    together = combine_correlations(_correlate_signals(with_changes(mouth), measure_onsets(sound, around)))
    best = int(np.argmax(together))
    others = np.delete(together, np.s_[max(best - _PEAK, 0) : best + _PEAK + 1])
    spread = float(others.std())
    prominence = float(together[best] - others.mean()) / spread if spread > 0 else 0.0
    return LipSync(correlation, round((_REACH - best) * GRID, 2), prominence)


def sample_mouth(track: FaceTrack, scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """Returns even times (n,) in seconds and the mouth measures (3, n) there; none where few are known."""
    known = ~np.isnan(track.mouth[:, MOTION])
    if known.sum() < _FEWEST:
        return np.zeros(0), np.zeros((SYNCED.stop, 0))
    times = scan.times[track.frames]
    even = np.arange(times[0], times[-1], GRID)
    return even, np.stack([np.interp(even, times[known], column[known]) for column in track.mouth.T[SYNCED]])


def with_changes(mouth: np.ndarray) -> np.ndarray:
    """Mouth measures (3, n) with the amounts by which contrast and darkness change: (5, n)."""
    return np.concatenate([mouth, np.abs(np.gradient(mouth[[CONTRAST, DARKNESS]], axis=1))])


def combine_correlations(correlations: np.ndarray) -> np.ndarray:
    """Mean (...) of correlations (k, ...) by Fisher's transformation."""
    return np.arctanh(np.clip(correlations, -0.99, 0.99)).mean(axis=0)


def measure_onsets(sound: SoundTrack, times: np.ndarray) -> np.ndarray:
    """Onset strength (n,) at these even times (n,): spectral flux of the logarithmic mel."""
    columns = (times - sound.start) * COLUMNS_PER_SECOND
    first, last = np.clip([np.floor(columns[0]) - 1, np.ceil(columns[-1]) + 1], 0, sound.columns).astype(int)
    if last - first < 2:
        return np.zeros(len(times))
    starts = range(first, last - 1, _COLUMNS)
    parts = [sound.mel_power(start, min(start + _COLUMNS + 1, last)) for start in starts]
    strongest = max(float(part.max()) for part in parts)
    swells = np.concatenate([_compute_flux(part, strongest) for part in parts])
    return np.interp(columns, np.arange(first + 1, last), swells)


def _compute_flux(power: np.ndarray, strongest: float) -> np.ndarray:
    """(n - 1,) spectral flux of mel power (128, n): mean increase of its logarithm from column to column.

    `strongest`: the largest power around; a thousandth of it counts as silence.
    """
    increase = np.diff(np.log10(power + _FLOOR * strongest + 1e-20), axis=1)
    return np.maximum(increase, 0).mean(axis=0)


def _correlate_signals(signals: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """Correlations (k, 71) of signals (k, n) with the sound (n + 70,) at each shift."""
    length = signals.shape[1]
    signals = normalise_signals(np.stack([remove_trend(signal) for signal in signals]))
    pieces = np.lib.stride_tricks.sliding_window_view(remove_trend(sound), length)
    return np.stack([signals @ normalise_signals(piece) for piece in pieces], axis=1)


def normalise_signals(values: np.ndarray) -> np.ndarray:
    """Values (..., n) without their mean, scaled to length one; zeros stay."""
    values = values - values.mean(axis=-1, keepdims=True)
    length = np.sqrt((values**2).sum(axis=-1, keepdims=True))
    return np.divide(values, length, out=np.zeros_like(values), where=length > 1e-12)


def remove_trend(values: np.ndarray) -> np.ndarray:
    """Values (n,) smoothed over 0.12 s, minus the mean of the second around."""
    smooth = np.convolve(values, np.ones(3) / 3, mode="same")
    return smooth - np.convolve(np.pad(smooth, 12, mode="edge"), np.ones(25) / 25, mode="valid")
