"""How much a sound is like speech: to choose among sound tracks, of which others hold music or nothing.

A voice detector alone takes music for speech. Speech differs by its pitch, which glides within syllables
while notes hold theirs, and by short pauses, which bring the level down many times in every second.
"""

import functools

import numpy as np
import scipy.signal

from lipfd_jax.preprocessing.voice import RATE, STEP, VoiceDetector

SPEECH = 0.2  # likeness from which a sound has speech: nearly all clips of speech have 0.45 to 1, music 0
_LEVEL = 0.05  # root mean square to which sound is brought: the voice detector hears little in quiet sound
_VOICE = (70.0, 1000.0)  # hertz in which pauses and pitch are measured
_STRICTNESS = 3  # of the voice detector: the most
_SECOND = 33  # steps
_PAUSE_SHARE = 0.25  # steps below half the mean power of their second; fewer make a sound less like speech
_FRAME, _HOP = 640, 160  # samples of a frame whose pitch is measured, and from one to the next
_APART = 2  # hops over which a glide is measured
_PITCHES = (70, 400)  # hertz
_HARMONIC = 0.6  # autocorrelation of a frame with a pitch
_LOUD = 0.1  # of the mean power; the pitch of quieter frames is not measured
_GLIDE = (0.005, 0.15)  # octaves: notes change by less, leaps and errors by more
_GLIDES = (0.3, 0.6)  # shares of gliding frames: of melodies at most the first, of most speech the second
_FEWEST = 10  # pairs of frames with a pitch; of fewer nothing can be said


def measure_speech(samples: np.ndarray) -> float:
    """Returns how much samples (n,) float32 at 16 kHz are like speech, 0 to 1, however loud they are."""
    if len(samples) < STEP * _SECOND or not np.abs(samples).max() > 0:
        return 0.0
    samples = samples * np.float32(_LEVEL / np.sqrt((samples**2).mean()))
    voice = scipy.signal.sosfilt(_voice_filter(), samples).astype(np.float32)
    return float(_voice_share(samples) * _pause_factor(voice) * _glide_factor(voice))


@functools.cache
def _voice_filter() -> np.ndarray:
    return scipy.signal.butter(4, _VOICE, "bandpass", fs=RATE, output="sos")


def _voice_share(samples: np.ndarray) -> float:
    return float(VoiceDetector(_STRICTNESS).detect(_cut_steps(samples)).mean())


def _cut_steps(samples: np.ndarray) -> np.ndarray:
    return samples[: len(samples) // STEP * STEP].reshape(-1, STEP)


def _pause_factor(samples: np.ndarray) -> float:
    """1 where a quarter of all steps are pauses between syllables or words, 0 where none is."""
    power = (_cut_steps(samples) ** 2).mean(axis=1)
    seconds = power[: len(power) // _SECOND * _SECOND].reshape(-1, _SECOND)
    heard = seconds[seconds.max(axis=1) > 0]
    if not len(heard):
        return 0.0
    share = (heard < heard.mean(axis=1, keepdims=True) / 2).mean()
    return float(min(share / _PAUSE_SHARE, 1.0))


def _glide_factor(samples: np.ndarray) -> float:
    """1 where the pitch mostly glides, 0 where it holds as that of notes does, or where there is none."""
    pitch = _measure_pitch(samples)
    change = np.abs(np.log2(pitch[_APART:] / pitch[:-_APART]))
    change = change[np.isfinite(change)]
    if len(change) < _FEWEST:
        return 0.0
    share = ((change > _GLIDE[0]) & (change < _GLIDE[1])).mean()
    return float(np.clip((share - _GLIDES[0]) / (_GLIDES[1] - _GLIDES[0]), 0, 1))


def _measure_pitch(samples: np.ndarray) -> np.ndarray:
    """Pitch of every frame in hertz, NaN for frames without one, by autocorrelation."""
    window = np.hanning(_FRAME).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    shortest, longest = RATE // _PITCHES[1], RATE // _PITCHES[0]
    bias = _autocorrelate(window[None], longest + 2)[0]
    mean_power = float((samples**2).mean())
    found = [np.zeros(0)]
    for first in range(0, len(frames), 4096):  # bounds memory
        part = frames[first : first + 4096]
        found.append(_find_pitch(part * window, bias, shortest, longest))
        found[-1][(part**2).mean(axis=1) < _LOUD * mean_power] = np.nan
    return np.concatenate(found)


def _find_pitch(frames: np.ndarray, bias: np.ndarray, shortest: int, longest: int) -> np.ndarray:
    likeness = _autocorrelate(frames, longest + 2)
    likeness = likeness / np.maximum(likeness[:, :1], 1e-12) / (bias / bias[0])
    rows = np.arange(len(frames))
    lag = likeness[:, shortest : longest + 1].argmax(axis=1) + shortest
    before, at, after = (likeness[rows, lag + side] for side in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=np.abs(bend) > 1e-9)
    return np.where(at > _HARMONIC, RATE / (lag + np.clip(shift, -1, 1)), np.nan)


def _autocorrelate(frames: np.ndarray, lags: int) -> np.ndarray:
    spectrum = np.fft.rfft(frames, 2048, axis=-1)
    return np.fft.irfft(np.abs(spectrum) ** 2, axis=-1)[..., :lags]
