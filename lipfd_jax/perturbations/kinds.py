"""Kinds of perturbation: what each works on, its severities, and how training's augmentation applies it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import numpy as np

from lipfd_jax.perturbations.frames import SEVERITIES
from lipfd_jax.perturbations.perturbation import Perturbation, Random, SamplesFunction, StripFunction

# Orders in which training applies several perturbations to one sample. A frame meets light, lens,
# resolution, sensor, overlay, codec; a sound is levelled, cut and resampled before noise is added.
FrameStage = Literal["light", "lens", "resolution", "sensor", "overlay", "codec"]
SoundStage = Literal["level", "cut", "band", "noise"]


@dataclass(frozen=True)
class FrameKind:
    """A perturbation of frames at severities 1 (weak) to 5 (strong)."""

    name: str  # in suites
    function: Callable[[np.ndarray, int, Random], np.ndarray]  # takes frames (n, height, width, 3) uint8 RGB
    stage: FrameStage  # where training applies it
    probability: float = 0.0  # default probability in training
    crfs: tuple[int, ...] = ()  # rate factors by severity, at which clips are encoded again instead

    @property
    def setting(self) -> str:
        """The setting under data.augmentation that holds its probability."""
        return self.name.replace("-", "").replace(" ", "_")

    @property
    def perturbations(self) -> list[Perturbation]:
        """One for each severity of the robustness suite."""
        return [
            Perturbation(
                self.name,
                str(severity),
                on_frame=partial(self._apply_to_frame, severity=severity),
                crf=self.crfs[severity - 1] if self.crfs else None,
            )
            for severity in SEVERITIES
        ]

    def apply(self, frames: np.ndarray, severity: int, rng: Random) -> np.ndarray:
        """Perturbs frames (n, height, width, 3) uint8 RGB. Raises ValueError for an unknown severity."""
        if severity not in SEVERITIES:
            raise ValueError(f"{self.name} at severity {severity!r}: expected 1 to {len(SEVERITIES)}")
        return self.function(frames, severity, rng)

    def _apply_to_frame(self, frame: np.ndarray, rng: Random, *, severity: int) -> np.ndarray:
        return self.apply(frame[None], severity, rng)[0]


@dataclass(frozen=True)
class StripAugmentation:
    """How training applies a kind of sound perturbation to mel strips."""

    setting: str  # under data.augmentation: its probability
    probability: float  # default
    stage: SoundStage  # where it is applied
    function: Callable[[np.ndarray, float, Random], np.ndarray]  # takes loudness and an amount
    amount_range: tuple[float, float] | None = None  # the amount is drawn evenly from it; None: no draw


@dataclass(frozen=True)
class SoundKind:
    """A perturbation of the sound: of samples, and of mel strips where samples are not stored."""

    name: str  # in suites
    on_samples: Mapping[str, SamplesFunction] = field(
        default_factory=dict
    )  # by severity; none: training only
    on_strip: Mapping[str, StripFunction] = field(default_factory=dict)  # by severity, for stored windows
    training: StripAugmentation | None = None  # None: it needs samples, which records do not hold

    @property
    def why_not_in_training(self) -> str:
        """Why training cannot apply it; "" where it can."""
        return (
            "" if self.training else f"{self.name} needs the clip's samples, and records hold mel strips only"
        )

    @property
    def perturbations(self) -> list[Perturbation]:
        """One for each severity of the robustness suite."""
        return [
            Perturbation(self.name, severity, on_samples=function, on_strip=self.on_strip.get(severity))
            for severity, function in self.on_samples.items()
        ]


def in_training_order(kinds: Sequence[FrameKind]) -> list[FrameKind]:
    """Kinds of frames by their stage; within a stage as given."""
    return sorted(kinds, key=lambda kind: get_args(FrameStage).index(kind.stage))
