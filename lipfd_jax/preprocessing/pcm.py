"""Sound as 16-bit PCM, scaled to its own peak so that quiet sound keeps its detail."""

import numpy as np

_LARGEST = 32767


def encode_pcm(samples: np.ndarray) -> tuple[bytes, float]:
    """Returns samples (n,) float32 as 16-bit little-endian PCM, and the amplitude of one step of it."""
    scale = float(np.abs(samples).max(initial=0)) / _LARGEST or 1.0
    return np.rint(samples / scale).astype("<i2").tobytes(), scale


def decode_pcm(data: bytes, scale: float) -> np.ndarray:
    """Returns the samples (n,) float32 of `encode_pcm`, off by at most half a step."""
    return np.frombuffer(data, "<i2").astype(np.float32) * np.float32(scale)
