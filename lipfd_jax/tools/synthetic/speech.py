"""Speech-like sound (syllables with formants, hisses, pauses) and the mouth movements that go with it."""

from dataclasses import dataclass

import numpy as np

RATE = 16_000  # samples per second
_TICKS = 200  # control values per second
_HARMONICS = 30


@dataclass(frozen=True)
class Speech:
    """A piece of speech: its sound, and the mouth that produces it."""

    sound: np.ndarray  # (samples,) float32 at 16 kHz, -1..1
    opening: np.ndarray  # (frames,) float, 0 shut .. 1
    spread: np.ndarray  # (frames,) float, -1 rounded .. 1 wide


def draw_speech(
    rng: np.random.Generator, *, frames: int, fps: float, pitch: float, loudness: float, hiss: float
) -> Speech:
    """Draws random speech as long as a number of frames.

    Two calls with other generators give other words of the same distribution, so that no property of the
    sound alone separates the forger's from the real one.

    Args:
      pitch: of the voice, in Hz.
      loudness: root mean square of the speech in dB relative to full scale.
      hiss: root mean square of room and microphone noise, likewise in dB.
    """
    opening, spread, voice, noise = tracks = _draw_tracks(rng, int(np.ceil(frames / fps * _TICKS)) + 1)
    ticks = np.arange(tracks.shape[1])
    at = np.arange(round(frames / fps * RATE)) * _TICKS / RATE
    melody = 1 + 0.1 * np.sin(2 * np.pi * (ticks / _TICKS * rng.uniform(0.3, 0.9) + rng.random()))
    phase = 2 * np.pi * np.cumsum(np.interp(at, ticks, pitch * melody)) / RATE
    hertz = pitch * np.arange(1, _HARMONICS + 1)[:, None]
    # an open mouth raises the first formant, a wide one the second
    formants = _resonance(hertz, 300 + 500 * opening) + 0.5 * _resonance(hertz, 1500 + 700 * spread) + 0.02
    weights = voice * formants / (1 + (hertz / 500) ** 2)
    sound = sum(np.interp(at, ticks, w) * np.sin((k + 1) * phase) for k, w in enumerate(weights))
    sound = sound + np.interp(at, ticks, noise) * np.diff(
        rng.standard_normal(at.size + 1)
    )  # high frequencies
    level = np.sqrt(np.mean(sound**2))
    sound = sound * (10 ** (loudness / 20) / level if level else 1)  # a short clip may be one pause
    sound = sound + 10 ** (hiss / 20) * rng.standard_normal(at.size)
    middles = (np.arange(frames) + 0.5) / fps * _TICKS  # the mouth halfway through each frame
    shown = (np.interp(middles, ticks, track) for track in (opening, spread))
    return Speech(np.clip(sound, -1, 1).astype(np.float32), *shown)


def _resonance(hertz: np.ndarray, formant: np.ndarray) -> np.ndarray:
    return 1 / (1 + ((hertz - formant) / 120) ** 2)


def _draw_tracks(rng: np.random.Generator, ticks: int) -> np.ndarray:
    """Draws (4, ticks): opening, spread, voice and noise, smooth at the joins."""
    pieces, length, left_in_phrase = [], 0, 0
    while length < ticks:
        if left_in_phrase == 0:
            piece, left_in_phrase = _hold((0, 0, 0, 0), rng.uniform(0.12, 0.3)), rng.integers(4, 10)
        else:
            piece, left_in_phrase = _draw_syllable(rng), left_in_phrase - 1
        pieces.append(piece)
        length += piece.shape[1]
    tracks = np.concatenate(pieces, 1)[:, :ticks]
    return np.stack([_smooth(row, 0.08 if i < 2 else 0.03) for i, row in enumerate(tracks)])


def _draw_syllable(rng: np.random.Generator) -> np.ndarray:
    """Draws a consonant, with the lips nearly shut, and a vowel."""
    hissed = rng.random() < 0.4
    consonant = (rng.uniform(0, 0.2), 0, *((0.0, 0.3) if hissed else (rng.uniform(0, 0.3), 0.01)))
    opening = rng.uniform(0.3, 1)
    vowel = (opening, rng.uniform(-1, 1), 0.4 + 0.6 * opening, 0.01)
    return np.concatenate(
        [_hold(consonant, rng.uniform(0.05, 0.11)), _hold(vowel, rng.uniform(0.09, 0.2))], 1
    )


def _hold(values: tuple[float, ...], seconds: float) -> np.ndarray:
    return np.repeat(np.array(values, float)[:, None], int(seconds * _TICKS), 1)


def _smooth(track: np.ndarray, seconds: float) -> np.ndarray:
    """Applies a Hann window to a control track; the ends are held."""
    half = max(1, round(seconds * _TICKS / 2))
    window = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(np.pad(track, half, mode="edge"), window / window.sum(), mode="valid")
