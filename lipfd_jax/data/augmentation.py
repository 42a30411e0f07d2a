"""Random changes to training samples: frames flipped and perturbed, sound changed on its mel strip."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from lipfd_jax.perturbations import mel_strips
from lipfd_jax.perturbations.frames import LEVELS, perturb
from lipfd_jax.settings import check_ranges


@dataclasses.dataclass(frozen=True)
class AugmentationSettings:
    """How often a sample is changed in each way; several may fall on the same one.

    A model trained without any falls to chance under blur, noise and pixelation (the released weights: AUC
    0.52 to 0.57 at level 3), so these come more often than the other perturbations. About four in ten
    samples keep their frames' quality.
    """

    enabled: bool = True  # False: samples stay as they are
    flip: float = 0.5  # probability of mirroring all five frames
    saturation: float = 0.1  # probabilities of the perturbations, each at a random level of its own
    contrast: float = 0.1
    blockwise: float = 0.1
    blur: float = 0.15
    pixelation: float = 0.15
    noise: float = 0.15
    compression: float = 0.15
    highest_level: int = 5  # levels are drawn evenly from 1 to this
    sound_gain: float = 0.2  # by -15 to 15 dB, against the rest of the clip
    sound_noise: float = 0.2  # 20 to 60 dB below the clip's loudest
    # In AVLips most fake sound ends at 8 kHz, real sound does not: without this that may be all it learns.
    sound_band_limit: float = 0.5  # nothing above 8 kHz
    sound_trim: float = 0.1  # leading silence cut off: 25 to 45 dB or more below the clip's loudest

    def __post_init__(self) -> None:
        probabilities = [field.name for field in dataclasses.fields(self) if field.type is float]
        check_ranges(self, "data.augmentation.", **dict.fromkeys(probabilities, (0, 1)))
        check_ranges(self, "data.augmentation.", highest_level=(min(LEVELS), max(LEVELS)))


OFF = AugmentationSettings(enabled=False)

# In the order in which a picture meets them: light, lens, sensor, what is put over it, the codec.
_ORDER = ("saturation", "contrast", "blur", "pixelation", "noise", "block-wise", "compression")


@dataclasses.dataclass(frozen=True)
class Augment:
    """Changes a sample of `records.decode_parts` in the ways the settings say; a Grain random map."""

    settings: AugmentationSettings

    def __call__(self, sample: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Returns a new sample; what happens depends on the generator's state alone."""
        if not self.settings.enabled:
            return dict(sample)
        frames = augment_frames(sample["frames"], self.settings, rng)
        mel = augment_sound(sample["mel"], float(sample["fps"]), self.settings, rng)
        return {**sample, "frames": frames, "mel": mel}


def augment_frames(
    frames: np.ndarray, settings: AugmentationSettings, rng: np.random.Generator
) -> np.ndarray:
    """Mirrors and perturbs frames (5, height, width, 3) uint8 RGB of a window, all in the same way."""
    if rng.random() < settings.flip:
        frames = np.stack([cv2.flip(frame, 1) for frame in frames])
    for name in _ORDER:
        chosen = rng.random() < getattr(settings, name.replace("-", ""))
        level = int(rng.integers(1, settings.highest_level, endpoint=True))
        if chosen:
            frames = perturb(frames, name, level, rng)
    return frames


def augment_sound(
    strip: np.ndarray, fps: float, settings: AugmentationSettings, rng: np.random.Generator
) -> np.ndarray:
    """Changes the sound that a mel strip (rows, columns, 3) uint8 RGB shows, as `sound_perturbations` can.

    A strip that nothing falls on is returned as it is; the mel half of a composite that was stored whole is
    otherwise shrunk to the strip's size first.
    """
    gain, trim, noise, limit = rng.random(4) < (
        settings.sound_gain,
        settings.sound_trim,
        settings.sound_noise,
        settings.sound_band_limit,
    )
    by, silence, distance = rng.uniform((-15, 25, 20), (15, 45, 60))
    if not (gain or trim or noise or limit):
        return strip
    values = mel_strips.loudness(mel_strips.native(strip, fps))
    values = mel_strips.gain(values, by) if gain else values
    values = mel_strips.trim(values, silence) if trim else values
    values = mel_strips.band_limit(values) if limit else values
    values = mel_strips.noise(values, distance, rng) if noise else values
    return mel_strips.coloured(values)
