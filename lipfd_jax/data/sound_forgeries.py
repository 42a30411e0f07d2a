"""Sound that does not belong to a window: shifted, of another moment, of another speaker.

For an auxiliary label 'does the sound belong', not 'forged': a genuine picture under other sound is no
lip-sync forgery.
"""

from dataclasses import dataclass
from math import inf

import numpy as np

from lipfd_jax.settings import check_ranges

KINDS = ("shifted", "other_moment", "other_speaker")


@dataclass(frozen=True)
class SoundForgerySettings:
    """Weights of the kinds, and how far sound is shifted."""

    shifted: float = 2.0
    other_moment: float = 1.0  # of the same clip, farther away than the longest shift where it is long enough
    other_speaker: float = 1.0
    nearest: float = 0.3  # smallest shift, seconds: below, viewers take sound for synchronous
    farthest: float = 2.0  # largest shift, seconds

    def __post_init__(self) -> None:
        check_ranges(self, "sound_forgeries.", **dict.fromkeys(KINDS, (0, inf)), nearest=(0, self.farthest))
        if not any(getattr(self, kind) for kind in KINDS):
            raise ValueError(f"sound_forgeries: expected a weight above 0 for one of {', '.join(KINDS)}")


@dataclass(frozen=True)
class SoundForgery:
    """Parameters of a window's forged sound."""

    kind: str  # in `KINDS`
    shift: float  # seconds, where it is shifted; above 0, the sound is late
    place: float  # 0 to 1: which of the possible other moments
    apart: float  # seconds that another moment is away from the window's own, where the clip allows it


def draw_sound_forgery(
    rng: np.random.Generator, settings: SoundForgerySettings = SoundForgerySettings()
) -> SoundForgery:
    """Draws the parameters of forged sound."""
    weights = np.array([getattr(settings, kind) for kind in KINDS], float)
    kind = str(rng.choice(KINDS, p=weights / weights.sum()))
    shift = rng.uniform(settings.nearest, settings.farthest) * rng.choice([-1, 1])
    return SoundForgery(kind, float(shift), rng.random(), settings.farthest)


def apply_sound_forgery(
    forgery: SoundForgery,
    samples: np.ndarray,
    start: int,
    count: int,
    rate: int,
    other: np.ndarray | None = None,
) -> np.ndarray:
    """Returns the sound (count,) float32 that a window gets instead of samples[start : start + count].

    Args:
      samples: the whole clip's sound (n,) float32. A shift that would leave it goes the other way; where
        neither way is sound, the clip is repeated.
      rate: samples per second.
      other: another speaker's sound; where it is missing, another moment of this clip is taken.
    """
    if forgery.kind == "shifted":
        return _cut(samples, _shift_start(forgery, len(samples) - count, start, rate), count)
    if forgery.kind == "other_speaker" and other is not None:
        return _cut(other, round(forgery.place * max(len(other) - count, 0)), count)
    return _cut(samples, _choose_start(forgery, len(samples) - count, start, rate), count)


def _shift_start(forgery: SoundForgery, last: int, start: int, rate: int) -> int:
    """The start of late sound lies before the window's."""
    by = round(forgery.shift * rate)
    return start - by if 0 <= start - by <= last or not 0 <= start + by <= last else start + by


def _choose_start(forgery: SoundForgery, last: int, start: int, rate: int) -> int:
    """One of the starts that are far enough from the window's; the farthest end where none is."""
    apart = round(forgery.apart * rate)
    before, after = max(start - apart, 0), max(last - (start + apart), 0)
    if before + after == 0:
        return 0 if start > last - start else max(last, 0)
    chosen = round(forgery.place * (before + after))
    return chosen if chosen < before else start + apart + chosen - before


def _cut(samples: np.ndarray, start: int, count: int) -> np.ndarray:
    """Samples from a start on; before its beginning and after its end the sound is repeated."""
    return np.take(samples, range(start, start + count), mode="wrap")
