"""Speech-like sound (syllables with formants, hisses, pauses) and the mouth movements that go with it."""

from dataclasses import dataclass

import numpy as np

RATE = 16_000  # samples per second
_TICKS = 200  # control values per second
_WINDOW, _HOP = 512, 128  # samples, of the filter bank

# first three formants of a vowel in Hz, then how far the mouth opens (0..1) and how wide it is drawn (-1..1)
_VOWELS = np.array(
    [
        (750, 1250, 2550, 1.00, 0.0),  # father
        (690, 1660, 2490, 0.85, 0.4),  # cat
        (530, 1840, 2480, 0.60, 0.6),  # bed
        (290, 2250, 2950, 0.28, 0.9),  # see
        (640, 1190, 2390, 0.70, 0.0),  # cup
        (500, 900, 2450, 0.60, -0.7),  # caught
        (320, 800, 2300, 0.25, -1.0),  # boot
        (500, 1500, 2450, 0.45, 0.0),  # about
    ]
)
# middle of the noise band in Hz, loudness of noise and of voice, opening and spread of the mouth
_CONSONANTS = np.array(
    [
        (6000, 0.50, 0.00, 0.12, 0.4),  # s
        (3500, 0.50, 0.00, 0.20, -0.5),  # sh
        (4500, 0.18, 0.00, 0.08, 0.2),  # f
        (1500, 0.25, 0.00, 0.20, 0.2),  # k
        (4000, 0.30, 0.00, 0.15, 0.2),  # t
        (900, 0.06, 0.00, 0.00, 0.0),  # p: the lips close
        (900, 0.00, 0.40, 0.00, 0.0),  # m: the lips close, the voice goes on
        (900, 0.00, 0.45, 0.18, 0.2),  # n
        (900, 0.00, 0.55, 0.25, 0.0),  # l
        (900, 0.03, 0.15, 0.00, 0.0),  # b
    ]
)


@dataclass(frozen=True)
class Speech:
    """A piece of speech: what a microphone hears and what the mouth does."""

    sound: np.ndarray  # (samples,) float32 at 16 kHz, -1..1
    opening: np.ndarray  # (frames,) float, 0 shut .. 1
    spread: np.ndarray  # (frames,) float, -1 rounded .. 1 wide


def speak(
    rng: np.random.Generator,
    *,
    frames: int,
    fps: float,
    pitch: float,
    tract: float,
    loudness: float,
    hiss: float,
) -> Speech:
    """Random speech of a voice, as long as so many frames.

    pitch is in Hz, tract multiplies the formants, loudness (of the speech) and hiss (of the room and the
    microphone) are root mean squares in dB relative to full scale. Two calls with other generators give other
    words of the same distribution, so no property of the sound alone tells which of two is the forger's.
    """
    seconds = frames / fps
    tracks = _tracks(rng, int(np.ceil(seconds * _TICKS)) + 1)
    voice = _pulses(rng, tracks, pitch, round(seconds * RATE))
    sound = _filtered(rng, tracks, voice, tract)
    sound = sound * (10 ** (loudness / 20) / np.sqrt(np.mean(sound**2)))
    sound = sound + 10 ** (hiss / 20) * rng.standard_normal(sound.size)
    middles = (np.arange(frames) + 0.5) / fps * _TICKS  # the mouth as it stands halfway through each frame
    opening, spread = (np.interp(middles, np.arange(tracks.shape[1]), tracks[row]) for row in (7, 8))
    return Speech(np.clip(sound, -1, 1).astype(np.float32), opening, spread)


def _tracks(rng: np.random.Generator, ticks: int) -> np.ndarray:
    """(9, ticks): formants 1-3, voice, noise, noise band, stress, opening, spread; smooth at the joins."""
    pieces, length, left_in_phrase = [], 0, 0
    while length < ticks:
        if left_in_phrase == 0:
            piece, left_in_phrase = _pause(rng, first=not pieces), rng.integers(4, 10)
        else:
            piece, left_in_phrase = _syllable(rng), left_in_phrase - 1
        pieces.append(piece)
        length += piece.shape[1]
    tracks = np.concatenate(pieces, 1)[:, :ticks]
    return np.stack([_smooth(row, 0.08 if i in (7, 8) else 0.03) for i, row in enumerate(tracks)])


def _pause(rng: np.random.Generator, *, first: bool) -> np.ndarray:
    ticks = int(rng.uniform(0.05, 0.2) * _TICKS) if first else int(rng.uniform(0.12, 0.35) * _TICKS)
    return np.repeat([[500], [1500], [2500], [0], [0], [1000], [1], [0], [0]], max(ticks, 1), 1).astype(float)


def _syllable(rng: np.random.Generator) -> np.ndarray:
    """A consonant and a vowel, sometimes closed by another consonant."""
    vowel = _VOWELS[rng.integers(len(_VOWELS))]
    stress = rng.uniform(0.7, 1.15)
    parts = [_consonant(rng, vowel, stress)]
    effort = stress * rng.uniform(0.8, 1.0)
    column = [*vowel[:3], effort, 0.01, 1000, stress, min(1.0, vowel[3] * effort), vowel[4]]
    parts.append(np.repeat(np.array(column)[:, None], int(rng.uniform(0.09, 0.2) * _TICKS), 1))
    if rng.random() < 0.3:
        parts.append(_consonant(rng, vowel, stress))
    return np.concatenate(parts, 1)


def _consonant(rng: np.random.Generator, vowel: np.ndarray, stress: float) -> np.ndarray:
    band, noise, voice, opening, spread = _CONSONANTS[rng.integers(len(_CONSONANTS))]
    column = [300, vowel[1], vowel[2], voice * stress, noise * stress, band, stress, opening, spread]
    return np.repeat(np.array(column)[:, None], int(rng.uniform(0.05, 0.11) * _TICKS), 1)


def _smooth(track: np.ndarray, seconds: float) -> np.ndarray:
    """A Hann window over a control track; the ends are held."""
    half = max(1, round(seconds * _TICKS / 2))
    window = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(np.pad(track, half, mode="edge"), window / window.sum(), mode="valid")


def _pulses(rng: np.random.Generator, tracks: np.ndarray, pitch: float, samples: int) -> np.ndarray:
    """The voice before the vocal tract: a pulse per period of a pitch that wanders and follows the stress."""
    ticks = np.arange(tracks.shape[1])
    melody = tracks[6] * (
        1 + 0.08 * np.sin(2 * np.pi * (ticks / _TICKS * rng.uniform(0.3, 0.9) + rng.random()))
    )
    at = np.arange(samples) * _TICKS / RATE
    jitter = 1 + 0.01 * _smooth(rng.standard_normal(tracks.shape[1]), 0.02)
    phase = np.cumsum(np.interp(at, ticks, pitch * (0.6 + 0.4 * melody) * jitter)) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    return pulses * np.interp(at, ticks, tracks[3]) * np.sqrt(RATE / pitch)


def _filtered(rng: np.random.Generator, tracks: np.ndarray, voice: np.ndarray, tract: float) -> np.ndarray:
    """Voice and noise through the vocal tract, window by window of a short-time Fourier transform."""
    padded = np.pad(voice, _WINDOW)
    starts = np.arange(0, padded.size - _WINDOW, _HOP)
    at = np.clip((starts + _WINDOW / 2 - _WINDOW) * _TICKS / RATE, 0, tracks.shape[1] - 1)
    now = np.stack([np.interp(at, np.arange(tracks.shape[1]), row) for row in tracks])[..., None]
    hertz = np.fft.rfftfreq(_WINDOW, 1 / RATE)[None]
    throat = 1 / (1 + (hertz / 500) ** 2) ** 0.5 * (1 - np.exp(-((hertz / 150) ** 2)))
    for formant, breadth in zip(now[:3], (80, 110, 160), strict=True):
        middle = tract * formant
        throat = throat * (
            middle**2 / np.sqrt((middle**2 - hertz**2) ** 2 + (3 * breadth * hertz) ** 2) + 0.03
        )
    band = np.exp(-(((hertz - now[5]) / (0.35 * now[5])) ** 2))
    shape = np.hanning(_WINDOW + 1)[:-1] ** 0.5
    index = starts[:, None] + np.arange(_WINDOW)
    spectrum = np.fft.rfft(padded[index] * shape) * throat
    breath = np.fft.rfft(rng.standard_normal(padded.size)[index] * shape)
    spectrum = spectrum + breath * (0.25 * now[4] * band + 0.004 * now[3] * throat)
    sound = np.zeros(padded.size)
    np.add.at(sound, index, np.fft.irfft(spectrum) * shape)
    return sound[_WINDOW : _WINDOW + voice.size]
