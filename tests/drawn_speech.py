"""Speech-like sound, drawn: no two moments are alike."""

import numpy as np

from lipfd_jax.preprocessing.mel import SAMPLE_RATE


def draw_speech(seed, seconds=10.0):
    """Harmonics of a wandering pitch in syllables of changing vowels, (n,) float32."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE)
    moments = np.arange(count) / SAMPLE_RATE
    knots = np.arange(0, seconds + 0.1, 0.1)

    def curve(low, high):
        return np.interp(moments, knots, rng.uniform(low, high, len(knots)))

    phase = 2 * np.pi * np.cumsum(curve(100, 200)) / SAMPLE_RATE
    strength = np.interp(moments, knots, rng.choice([0.0, 0.3, 1.0], len(knots)))
    vowel = curve(300, 3000)
    waves = [np.exp(-(((k * 150 - vowel) / 500) ** 2)) * np.sin(k * phase) for k in range(1, 26)]
    return np.float32(0.2 * strength * sum(waves) + 1e-4 * rng.normal(size=count))
