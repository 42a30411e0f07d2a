"""Footage check: a real and a fake clip of the same source id must agree in the upper part of the frame."""

import dataclasses
import itertools
import pathlib
from collections import defaultdict
from collections.abc import Iterable

import cv2
import numpy as np

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.video import read_frames
from lipfd_jax.preprocessing.workers import map_clips

FRAMES = (0, 12, 24, 48, 96)  # compared frames, where both clips have them
UPPER_PART = 0.4  # share of the frame's height; in talking heads the mouth is below it
SAME_FOOTAGE = 0.95  # least correlation: AVLips' pairs reach 0.999 and more, different clips at most 0.73
_NOISE = 25.0  # variance below which a frame counts as flat, in squared grey levels
_SMALL = (32, 16)  # width and height of the compared thumbnails, in pixels


@dataclasses.dataclass(frozen=True)
class Pair:
    """A real and a fake clip that should show the same footage."""

    real: Clip
    fake: Clip

    @property
    def files(self) -> tuple[pathlib.Path, ...]:
        return self.real.path, self.fake.path

    @property
    def path(self) -> pathlib.Path:
        return self.fake.path


def pair_clips(clips: Iterable[Clip]) -> list[Pair]:
    """Pairs every real clip with every fake clip of its source id."""
    by_source: dict[str, tuple[list[Clip], list[Clip]]] = defaultdict(lambda: ([], []))
    for clip in clips:
        by_source[clip.source][clip.label].append(clip)
    return [Pair(*pair) for sides in by_source.values() for pair in itertools.product(*sides)]


def measure_similarity(pair: Pair) -> float | str:
    """Returns the lowest correlation (-1..1) between frames of the two clips, or why there is none."""
    try:
        real, fake = (_read_upper_parts(clip.path) for clip in (pair.real, pair.fake))
    except ClipError as error:
        return str(error)
    common = real.keys() & fake.keys()
    return min(_correlate(real[number], fake[number]) for number in common) if common else "no frames"


def find_mismatches(clips: Iterable[Clip], worker_count: int) -> list[tuple[Pair, float | str]]:
    """Returns the pairs with different footage or without a result, with their similarity or the reason."""
    done = map_clips(measure_similarity, pair_clips(clips), workers=worker_count)
    results = [(one.clip, one.result if one.result is not None else one.problem) for one in done]
    different = [(pair, found) for pair, found in results if isinstance(found, str) or found < SAME_FOOTAGE]
    return sorted(different, key=lambda entry: entry[0].real.video)


def _read_upper_parts(path: pathlib.Path) -> dict[int, np.ndarray]:
    """Returns {frame number: grey thumbnail of the upper part}, too small for compression to matter."""
    parts = {}
    for number, frame in read_frames(path, FRAMES).frames.items():
        upper = frame[: max(1, int(frame.shape[0] * UPPER_PART))]
        grey = cv2.cvtColor(np.ascontiguousarray(upper), cv2.COLOR_RGB2GRAY)
        parts[number] = cv2.resize(grey, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float64)
    return parts


def _correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of two frames, close to 1 where both are flat and equally bright."""
    a, b = one - one.mean(), other - other.mean()
    spread = np.sqrt((np.mean(a * a) + _NOISE) * (np.mean(b * b) + _NOISE))
    brightness = abs(one.mean() - other.mean()) > 64  # black and white are both flat
    return float((np.mean(a * b) + _NOISE) / spread) - brightness
