"""Whether a sound is like music: tones that are held, or a steady beat, neither of which speech has.

Power that lasts (a grey opening of the mel along time) tells tones, the autocorrelation of the onsets a beat.
The figures behind the limits are in docs/detection.md.
"""

import numpy as np

from lipfd_jax.detection.sound import STEP, Heard
from lipfd_jax.preprocessing.audio import COLUMNS_PER_SECOND

_PIECE = 430  # mel columns judged together: 10 s
_SHORTEST = 172  # of them, for a beat: 4 s
_BANDS = slice(8, 80)  # of the mel: 200 to 3500 Hz, without hum and bass
_HOLD = 7  # columns that power has to last: 0.16 s
HELD = 0.5  # share of the power that lasts; speech has up to 0.36
_BEATS = range(9, 60)  # columns from beat to beat: 0.2 to 1.4 s
BEAT = 0.55  # correlation of the onsets with those a beat later; speech has up to 0.5
_VOICED = 0.3  # of a piece; with less in it, it is not judged anyway
_FLOOR = 1e-3  # of the strongest mel power: what is weaker has no onsets


def music_share(heard: Heard) -> float:
    """The share of what is taken for speech, in pieces of 10 s, that is like music: 0 to 1."""
    pieces = max(1, round(heard.columns / _PIECE))
    edges = np.rint(np.linspace(0, heard.columns, pieces + 1)).astype(int)
    seconds = edges / COLUMNS_PER_SECOND
    steps = np.clip(np.rint(seconds / STEP).astype(int), 0, len(heard.voice))
    found = [
        held(power := heard.power(first, last)) >= HELD or beat(power) >= BEAT
        for first, last, a, b in zip(edges, edges[1:], steps, steps[1:], strict=False)
        if b > a and heard.voice[a:b].mean() >= _VOICED
    ]
    return float(np.mean(found)) if found else 0.0


def held(power: np.ndarray) -> float:
    """The share of mel power (128, n) that lasts for 0.16 s."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d  # takes a third of a second

    power = power[_BANDS]
    lasting = maximum_filter1d(minimum_filter1d(power, _HOLD, axis=1), _HOLD, axis=1)
    return float(lasting.sum() / max(power.sum(), 1e-20))


def beat(power: np.ndarray) -> float:
    """How alike the onsets of mel power (128, n) are to those a beat later, for the best beat: up to 1."""
    if power.shape[1] < _SHORTEST:
        return 0.0
    swells = flux(power, float(power.max()))
    around = np.convolve(np.pad(swells, 21, mode="edge"), np.ones(43) / 43, mode="valid")  # a second
    swells = swells - around
    swells -= swells.mean()
    variance = float(np.mean(swells**2))
    if variance == 0:
        return 0.0
    return max(float(np.mean(swells[lag:] * swells[:-lag])) for lag in _BEATS) / variance


def flux(power: np.ndarray, strongest: float) -> np.ndarray:
    """(n - 1,) spectral flux of mel power (128, n): how much its logarithm swells from column to column.

    `strongest`: the largest power around; what is a thousand times weaker counts as nothing.
    """
    swelling = np.diff(np.log10(power + _FLOOR * strongest + 1e-20), axis=1)
    return np.maximum(swelling, 0).mean(axis=0)
