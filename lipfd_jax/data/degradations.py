"""Degradations: what happens to whole pictures on their way, from a site's scaling to a phone's sharpening.

For training: one draw, applied alike to a real window and its pseudo-forgery, so that quality gives no class
away. A new one is a function here, a row of `OPERATIONS` and a probability in `DegradationSettings`.
Operations take frames (n, height, width, 3) uint8 RGB, a strength from 0 to 1 and a generator, and return as
many frames. Lengths in pixels count pixels of a frame of 224; larger frames get as much more.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.perturbations.frames import recode_jpeg
from lipfd_jax.settings import check_ranges

Random = np.random.Generator
Operation = Callable[[np.ndarray, float, Random], np.ndarray]

_SIDE = 224  # of the frames in whose pixels lengths are given
_LUMA = np.array([0.299, 0.587, 0.114])
_MARGIN = 32  # pixels by which a field of noise is larger than the frames, to be cut anew for each
_METHODS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def relight(frames: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Brightness, contrast and gamma, all frames alike."""
    brightness, contrast, gamma = strength * rng.uniform(-1, 1, 3)
    values = np.linspace(0, 1, 256) ** 2 ** (0.5 * gamma)
    values = (values - 0.5) * (1 + 0.25 * contrast) + 0.5 + 0.1 * brightness
    table = np.clip(255 * values, 0, 255).round().astype(np.uint8)
    return np.stack([cv2.LUT(frame, table) for frame in frames])


def recolour(frames: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Saturation and white balance, all frames alike."""
    saturation = 1 + 0.5 * strength * rng.uniform(-1, 1)
    balance = 1 + 0.08 * strength * rng.uniform(-1, 1, 3)
    matrix = balance[:, None] * (saturation * np.eye(3) + (1 - saturation) * _LUMA)
    return np.stack([cv2.transform(frame, matrix.astype(np.float32)) for frame in frames])


def blur(frames: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Gaussian blur with a sigma of 0.3 to 1.3 pixels."""
    del rng
    sigma = (0.3 + strength) * frames.shape[2] / _SIDE
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def rescale(frames: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Down to 0.9 (weak) to 0.35 of the size by area and up again, linear or cubic."""
    method = _METHODS[rng.integers(len(_METHODS))]
    height, width = frames.shape[1:3]
    scale = 0.9 - 0.55 * strength
    small = max(1, round(scale * width)), max(1, round(scale * height))
    reduced = (cv2.resize(frame, small, interpolation=cv2.INTER_AREA) for frame in frames)
    return np.stack([cv2.resize(frame, (width, height), interpolation=method) for frame in reduced])


def add_noise(frames: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """White Gaussian noise with a deviation of 1 to 7 grey levels, other noise in each frame."""
    count, height, width, channels = frames.shape
    field = rng.standard_normal((height + _MARGIN, width + _MARGIN, channels), np.float32)
    field *= 1 + 6 * strength
    starts = rng.integers(0, _MARGIN, (count, 2), endpoint=True)
    parts = (field[top : top + height, left : left + width] for top, left in starts)
    return np.stack([cv2.add(f, part, dtype=cv2.CV_8U) for f, part in zip(frames, parts, strict=True)])


def sharpen(frames: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Unsharp mask of gain 0.3 to 1.5."""
    del rng
    gain, sigma = 0.3 + 1.2 * strength, 0.8 * frames.shape[2] / _SIDE
    soft = (cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames)
    return np.stack([cv2.addWeighted(f, 1 + gain, s, -gain, 0) for f, s in zip(frames, soft, strict=True)])


def compress(frames: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """JPEG of quality 95 (weak) to 25."""
    del rng
    return np.stack([recode_jpeg(frame, round(95 - 70 * strength)) for frame in frames])


# In the order in which pictures meet them: light, lens, resolution, sensor, codec.
OPERATIONS: dict[str, Operation] = {
    "relight": relight,
    "recolour": recolour,
    "blur": blur,
    "rescale": rescale,
    "noise": add_noise,
    "sharpen": sharpen,
    "compress": compress,
}


@dataclass(frozen=True)
class DegradationSettings:
    """Probabilities: that anything happens at all, and then of each operation."""

    any: float = 0.65  # otherwise frames stay as they are
    relight: float = 0.4
    recolour: float = 0.3
    blur: float = 0.2
    rescale: float = 0.35
    noise: float = 0.2
    sharpen: float = 0.15
    compress: float = 0.45
    strongest: float = 1.0  # strengths are drawn from 0 to this, weak ones more often

    def __post_init__(self) -> None:
        names = ("any", "strongest", *OPERATIONS)
        check_ranges(self, "degradations.", **dict.fromkeys(names, (0, 1)))


@dataclass(frozen=True)
class Degradation:
    """Operations with their strengths and seeds, for all frames of a window and its twin."""

    steps: tuple[tuple[str, float, int], ...]  # name in `OPERATIONS`, strength from 0 to 1, seed


def draw_degradation(rng: Random, settings: DegradationSettings = DegradationSettings()) -> Degradation:
    """Draws a degradation."""
    if rng.random() >= settings.any:
        return Degradation(())
    chosen = [name for name in OPERATIONS if rng.random() < getattr(settings, name)]
    steps = [(name, settings.strongest * rng.random() ** 1.5, int(rng.integers(2**32))) for name in chosen]
    return Degradation(tuple(steps))


def apply_degradation(degradation: Degradation, frames: np.ndarray) -> np.ndarray:
    """Degrades frames (n, height, width, 3) uint8 RGB; equal frames give equal results, in any window."""
    for name, strength, seed in degradation.steps:
        frames = OPERATIONS[name](frames, strength, np.random.default_rng(seed))
    return frames
