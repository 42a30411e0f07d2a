"""Training augmentation: frames mirrored and perturbed, sound perturbed on its mel strip, at random."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

import cv2
import numpy as np

from lipfd_jax.perturbations import mel_strips
from lipfd_jax.perturbations.catalogue import FRAME_KINDS, SOUND_KINDS
from lipfd_jax.perturbations.frames import SEVERITIES
from lipfd_jax.perturbations.kinds import FrameKind, SoundStage, StripAugmentation, in_training_order
from lipfd_jax.settings import check_ranges

_Entry = TypeVar("_Entry", FrameKind, StripAugmentation)

# Draws of a seed, and with them what a resumed run sees, depend on the order of these. Entries of
# probability 0 in the catalogue draw only in runs that set it: a new one leaves other runs as they are.
_FRAME_KINDS = in_training_order(FRAME_KINDS)  # drawn and applied
_STRIPS = [kind.training for kind in SOUND_KINDS if kind.training]  # drawn
_APPLIED = sorted(_STRIPS, key=lambda strip: get_args(SoundStage).index(strip.stage))  # as applied
_PROBABILITIES = {kind.setting: kind.probability for kind in _FRAME_KINDS} | {
    strip.setting: strip.probability for strip in _STRIPS
}

_Probabilities: Any = dataclasses.make_dataclass(
    "_Probabilities", [(name, float, value) for name, value in _PROBABILITIES.items()], frozen=True
)


@dataclasses.dataclass(frozen=True)
class AugmentationSettings(_Probabilities):
    """Probabilities of each perturbation of the catalogue that records allow; several may apply to a sample.

    Besides the fields below there is one for each kind (`blur`, `sound_noise`, ...), with the default of its
    entry in `perturbations.catalogue`. By default about four in ten samples keep their frames' quality.
    """

    enabled: bool = True  # False: samples stay as they are
    flip: float = 0.5  # probability of mirroring all five frames
    highest_level: int = 5  # severities of frames are drawn evenly from 1 to this

    def __post_init__(self) -> None:
        check_ranges(self, "data.augmentation.", **dict.fromkeys(("flip", *_PROBABILITIES), (0, 1)))
        check_ranges(self, "data.augmentation.", highest_level=(min(SEVERITIES), max(SEVERITIES)))

    @classmethod
    def explain_unknown(cls, name: str) -> str:
        """Why a perturbation of the catalogue is no setting; "" for any other name."""
        wanted = name.removeprefix("sound_").replace("_", " ")
        return next((kind.why_not_in_training for kind in SOUND_KINDS if kind.name == wanted), "")


OFF = AugmentationSettings(enabled=False)


@dataclasses.dataclass(frozen=True)
class Augment:
    """Perturbs a sample of `records.decode_parts` by the settings; a Grain random map."""

    settings: AugmentationSettings

    def __call__(self, sample: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Returns a new sample, a function of the sample and the generator's state alone."""
        if not self.settings.enabled:
            return dict(sample)
        frames = augment_frames(sample["frames"], self.settings, rng)
        mel = augment_sound(sample["mel"], float(sample["fps"]), self.settings, rng)
        return {**sample, "frames": frames, "mel": mel}


def augment_frames(
    frames: np.ndarray, settings: AugmentationSettings, rng: np.random.Generator
) -> np.ndarray:
    """Mirrors and perturbs the frames (5, height, width, 3) uint8 RGB of a window, all in the same way."""
    if rng.random() < settings.flip:
        frames = np.stack([cv2.flip(frame, 1) for frame in frames])
    for kind in _select_drawn(_FRAME_KINDS, settings):
        chosen = rng.random() < getattr(settings, kind.setting)
        severity = int(rng.integers(1, settings.highest_level, endpoint=True))
        if chosen:
            frames = kind.apply(frames, severity, rng)
    return frames


def augment_sound(
    strip: np.ndarray, fps: float, settings: AugmentationSettings, rng: np.random.Generator
) -> np.ndarray:
    """Perturbs a mel strip (rows, columns, 3) uint8 RGB.

    A strip to which nothing applies is returned as it is; otherwise the mel half of a composite that was
    stored whole is first shrunk to the strip's size.
    """
    chosen, amounts = _draw_sound(settings, rng)
    if not any(chosen.values()):
        return strip
    values = mel_strips.read_loudness(mel_strips.shrink_strip(strip, fps))
    for one in _APPLIED:
        if chosen.get(one.setting):
            values = one.function(values, amounts.get(one.setting, 0.0), rng)
    return mel_strips.draw_strip(values)


def _draw_sound(
    settings: AugmentationSettings, rng: np.random.Generator
) -> tuple[dict[str, bool], dict[str, float]]:
    """Whether each perturbation of the sound applies, and the amounts of those that have one."""
    strips = _select_drawn(_STRIPS, settings)
    names = [strip.setting for strip in strips]
    chosen = rng.random(len(names)) < [getattr(settings, name) for name in names]
    ranges = {strip.setting: strip.amount_range for strip in strips if strip.amount_range}
    amounts = rng.uniform(*zip(*ranges.values(), strict=True))
    return dict(zip(names, chosen, strict=True)), dict(zip(ranges, amounts, strict=True))


def _select_drawn(entries: Sequence[_Entry], settings: AugmentationSettings) -> list[_Entry]:
    """Entries that draw random numbers: all but those that the catalogue and the settings leave at 0."""
    return [entry for entry in entries if entry.probability or getattr(settings, entry.setting)]
