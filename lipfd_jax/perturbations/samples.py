"""Perturbations of a clip's samples before the mel spectrogram: noise, codecs, shifts, cuts.

Each function takes samples (n,) float32 at 22050 Hz and returns as many. Random parts are drawn from the
generator given, so equal seeds give equal sound.
"""

import io

import av
import librosa
import numpy as np
import soxr

from lipfd_jax.preprocessing.audio import SAMPLE_RATE

# By codec: encoder and container of FFmpeg, and a rate in Hz that it takes. A new codec is a row.
ENCODERS = {"mp3": ("libmp3lame", "mp3", SAMPLE_RATE), "opus": ("libopus", "ogg", 48_000)}
_QUIET = 60.0  # leading samples this many decibels below the peak count as silence
_STRETCH = 0.25  # seconds of each silenced stretch


def add_white_noise(samples: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """Adds white Gaussian noise at a signal-to-noise ratio of `decibels`, relative to the mean power."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    deviation = np.sqrt(power * 10 ** (-decibels / 10))
    return samples + np.float32(deviation) * rng.standard_normal(len(samples), np.float32)


def shift_pitch(samples: np.ndarray, semitones: float) -> np.ndarray:
    """Shifts the pitch by semitones at the same speed (librosa's phase vocoder)."""
    moved = librosa.effects.pitch_shift(samples, sr=SAMPLE_RATE, n_steps=semitones)
    return np.ascontiguousarray(moved, np.float32)


def resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """Resamples to `rate` Hz and back, which removes everything above half of it."""
    low = soxr.resample(samples, SAMPLE_RATE, rate)
    return _fit_length(soxr.resample(low, rate, SAMPLE_RATE), len(samples))


def limit_band(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Band-pass from `low` to `high` hertz with sharp edges (300 to 3400: a telephone line)."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum[(hertz < low) | (hertz > high)] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def recode(samples: np.ndarray, codec: str, kilobits: int) -> np.ndarray:
    """Encodes at a low bit rate and decodes again, without the coder's delay.

    Args:
      codec: a name in `ENCODERS`.
    """
    name, container, rate = ENCODERS[codec]
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
    decoded = _decode(data)
    back = decoded if rate == SAMPLE_RATE else soxr.resample(decoded, rate, SAMPLE_RATE)
    return _fit_length(back, len(samples))


def silence_stretches(samples: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Silences random stretches of a quarter of a second that together make up a share of the clip."""
    size = round(_STRETCH * SAMPLE_RATE)
    stretches = -(-len(samples) // size)
    chosen = rng.permutation(stretches)[: round(share * stretches)]
    changed = samples.copy()
    for stretch in chosen:
        changed[stretch * size : (stretch + 1) * size] = 0
    return changed


def shift(samples: np.ndarray, seconds: float) -> np.ndarray:
    """Delays the sound against the frames, or advances it below zero; silence fills the gap."""
    count = min(abs(round(seconds * SAMPLE_RATE)), len(samples))
    gap = np.zeros(count, samples.dtype)
    if seconds >= 0:
        return np.concatenate([gap, samples[: len(samples) - count]])
    return np.concatenate([samples[count:], gap])


def trim_silence(samples: np.ndarray) -> np.ndarray:
    """Cuts off leading silence (60 dB below the loudest sample), so sound comes early by its length."""
    loudness = np.abs(samples)
    heard = np.flatnonzero(loudness > loudness.max(initial=0) * 10 ** (-_QUIET / 20))
    return shift(samples, -heard[0] / SAMPLE_RATE) if heard.size else samples


def _decode(data: io.BytesIO) -> np.ndarray:
    data.seek(0)
    to_float = av.AudioResampler(format="fltp", layout="mono")
    with av.open(data) as container:
        pieces = [
            piece.to_ndarray()[0] for frame in container.decode(audio=0) for piece in to_float.resample(frame)
        ]
    return np.concatenate(pieces)


def _fit_length(samples: np.ndarray, length: int) -> np.ndarray:
    return np.asarray(librosa.util.fix_length(samples, size=length), np.float32)
