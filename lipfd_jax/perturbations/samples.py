"""Changes to the sound of a clip, made on its samples before the mel picture: noise, codecs, shifts, cuts.

Each function takes samples (n,) float32 at 22050 Hz and returns as many. What is random is drawn from the
generator given, so that equal seeds give equal sound.
"""

import io
from typing import Literal

import av
import librosa
import numpy as np
import soxr

from lipfd_jax.preprocessing.audio import SAMPLE_RATE

Codec = Literal["mp3", "opus"]
_ENCODERS = {"mp3": ("libmp3lame", "mp3", SAMPLE_RATE), "opus": ("libopus", "ogg", 48_000)}
_QUIET = 60.0  # decibels below the loudest value from which on a beginning counts as silence
_STRETCH = 0.25  # seconds of each stretch that is silenced


def white_noise(samples: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """Adds white Gaussian noise whose power lies `decibels` below the mean power of the sound (its SNR)."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    deviation = np.sqrt(power * 10 ** (-decibels / 10))
    return samples + np.float32(deviation) * rng.standard_normal(len(samples), np.float32)


def pitch(samples: np.ndarray, semitones: float) -> np.ndarray:
    """Moves all tones by semitones at the same speed (librosa's phase vocoder)."""
    moved = librosa.effects.pitch_shift(samples, sr=SAMPLE_RATE, n_steps=semitones)
    return np.ascontiguousarray(moved, np.float32)


def resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    """Down to a sample rate and up again: what lies above half of it is gone."""
    return _fitted(soxr.resample(soxr.resample(samples, SAMPLE_RATE, rate), rate, SAMPLE_RATE), len(samples))


def band_limited(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Only tones from `low` to `high` hertz, cut off sharply (300 to 3400: a telephone line)."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum[(hertz < low) | (hertz > high)] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def coded(samples: np.ndarray, codec: Codec, kilobits: int) -> np.ndarray:
    """Encoded at a low rate and decoded again, the coder's delay taken out."""
    name, container, rate = _ENCODERS[codec]
    data = io.BytesIO()
    with av.open(data, "w", format=container) as output:
        stream = output.add_stream(name, rate=rate, layout="mono")
        stream.bit_rate = 1000 * kilobits
        loud = np.clip(samples if rate == SAMPLE_RATE else soxr.resample(samples, SAMPLE_RATE, rate), -1, 1)
        frame = av.AudioFrame.from_ndarray(loud[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate
        to_coder = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        for piece in to_coder.resample(frame):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    decoded = _decoded(data)
    back = decoded if rate == SAMPLE_RATE else soxr.resample(decoded, rate, SAMPLE_RATE)
    return _fitted(back, len(samples))


def silenced(samples: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Silences stretches of a quarter of a second, at random places, that together make up a share."""
    size = round(_STRETCH * SAMPLE_RATE)
    stretches = -(-len(samples) // size)
    chosen = rng.permutation(stretches)[: round(share * stretches)]
    changed = samples.copy()
    for stretch in chosen:
        changed[stretch * size : (stretch + 1) * size] = 0
    return changed


def shifted(samples: np.ndarray, seconds: float) -> np.ndarray:
    """Delays the sound against the picture, or lets it come early below zero; silence fills the gap."""
    count = min(abs(round(seconds * SAMPLE_RATE)), len(samples))
    gap = np.zeros(count, samples.dtype)
    if seconds >= 0:
        return np.concatenate([gap, samples[: len(samples) - count]])
    return np.concatenate([samples[count:], gap])


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Cuts off leading silence (60 dB below the loudest sample), so that sound comes early by its length."""
    loudness = np.abs(samples)
    heard = np.flatnonzero(loudness > loudness.max(initial=0) * 10 ** (-_QUIET / 20))
    return shifted(samples, -heard[0] / SAMPLE_RATE) if heard.size else samples


def _decoded(data: io.BytesIO) -> np.ndarray:
    data.seek(0)
    to_float = av.AudioResampler(format="fltp", layout="mono")
    with av.open(data) as container:
        pieces = [
            piece.to_ndarray()[0] for frame in container.decode(audio=0) for piece in to_float.resample(frame)
        ]
    return np.concatenate(pieces)


def _fitted(samples: np.ndarray, length: int) -> np.ndarray:
    return np.asarray(librosa.util.fix_length(samples, size=length), np.float32)
