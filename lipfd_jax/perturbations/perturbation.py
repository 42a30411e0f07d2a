"""Perturbation of a video at one severity, seeded by the video's name."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lipfd_jax.preprocessing.composite import Window

Random = np.random.Generator
SamplesFunction = Callable[[np.ndarray, Random], np.ndarray]  # samples (n,) float32 at 22050 Hz, as many out
StripFunction = Callable[[np.ndarray], np.ndarray]  # loudness (128, columns) float32, 0..1
FrameFunction = Callable[[np.ndarray, Random], np.ndarray]  # frame (height, width, 3) uint8 RGB
WindowsFunction = Callable[[Sequence[Window], Random], list[Window]]


@dataclass(frozen=True)
class Perturbation:
    """One change made to every video; a part whose field is None stays as it is."""

    kind: str  # "noise"
    severity: str = ""  # "3", "20 dB"; "" where the kind has only one
    on_samples: SamplesFunction | None = None  # before the mel spectrogram
    on_strip: StripFunction | None = None  # replaces `on_samples` where only the mel strip is stored
    on_frame: FrameFunction | None = None  # at the frame's own size
    crf: int | None = None  # the whole video is encoded again as H.264; stored frames get `on_frame` instead
    on_windows: WindowsFunction | None = None  # after windows were cut
    foreign_sound: bool = False  # the mel strips are those of a video of another source
    inner_track: bool = False  # the sound is the track inside the video, not the wav beside it

    @property
    def name(self) -> str:
        """Kind and severity; also the name of its scores file."""
        return f"{self.kind} {self.severity}".strip().replace("/", "-")

    @property
    def why_not_on_records(self) -> str:
        """Why stored windows do not allow it; "" where they do."""
        if self.on_samples is not None and self.on_strip is None:
            return "needs the clip's sound"
        return "needs the clip's files" if self.inner_track else ""

    def make_generator(self, video: str, part: str) -> Random:
        """The random generator of a video: equal in every run and process, and for all severities of a kind.

        Args:
          part: "sound", "frames" or "windows"; each draws from a generator of its own.
        """
        text = f"{self.kind}\n{part}\n{video}".encode()
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:16]))


CLEAN = Perturbation("clean")  # the unperturbed videos, which all others are compared with


def without_draws(change: Callable[..., np.ndarray], **parameters: float | str) -> SamplesFunction:
    """A function of samples that draws nothing, with its parameters, as a `SamplesFunction`."""

    def apply(samples: np.ndarray, rng: Random) -> np.ndarray:
        del rng
        return change(samples, **parameters)

    return apply


def with_draws(change: Callable[..., np.ndarray], **parameters: float) -> SamplesFunction:
    """The same of a function of samples that takes a generator as `rng`."""

    def apply(samples: np.ndarray, rng: Random) -> np.ndarray:
        return change(samples, rng=rng, **parameters)

    return apply
