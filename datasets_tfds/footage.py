"""Checks that a real and a forged clip of the same source id show the same footage, by all but the mouth."""

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

FRAMES = (0, 12, 24, 48, 96)
UPPER_PART = 0.4  # of the picture's height; in talking heads the mouth is below it
SAME = 0.95  # AVLips' pairs reach 0.999 and more, different clips at most 0.73
_NOISE = 25.0  # variance below which a picture counts as flat, in squared grey levels
_SMALL = (32, 16)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A real and a forged clip that should show the same footage."""

    real: Clip
    fake: Clip

    @property
    def files(self) -> tuple[pathlib.Path, ...]:
        return self.real.path, self.fake.path

    @property
    def path(self) -> pathlib.Path:
        return self.fake.path


def pairs(clips: Iterable[Clip]) -> list[Pair]:
    """Returns every real clip with every forged clip of its source id."""
    by_source = defaultdict(lambda: ([], []))
    for clip in clips:
        by_source[clip.source][clip.label].append(clip)
    return [Pair(*pair) for sides in by_source.values() for pair in itertools.product(*sides)]


def similarity(pair: Pair) -> float | str:
    """Returns the lowest correlation (-1..1) of the two clips' frames, or why it can't be told."""
    try:
        real, fake = (_upper_parts(clip.path) for clip in (pair.real, pair.fake))
    except ClipError as error:
        return str(error)
    common = real.keys() & fake.keys()
    return min(_correlation(real[number], fake[number]) for number in common) if common else "no frames"


def mismatches(clips: Iterable[Clip], worker_count: int) -> list[tuple[Pair, float | str]]:
    """Returns the pairs that do not show the same footage, or can't be compared, with what was found."""
    done = map_clips(similarity, pairs(clips), workers=worker_count)
    results = [(one.clip, one.problem or one.result) for one in done]
    different = [(pair, found) for pair, found in results if isinstance(found, str) or found < SAME]
    return sorted(different, key=lambda entry: entry[0].real.video)


def _upper_parts(path: pathlib.Path) -> dict[int, np.ndarray]:
    """Frame number -> grey upper part of the picture, made small so that compression does not matter."""
    parts = {}
    for number, picture in read_frames(path, FRAMES).frames.items():
        upper = picture[: max(1, int(picture.shape[0] * UPPER_PART))]
        grey = cv2.cvtColor(np.ascontiguousarray(upper), cv2.COLOR_RGB2GRAY)
        parts[number] = cv2.resize(grey, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float64)
    return parts


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation, towards 1 where both pictures are flat and equally bright."""
    a, b = one - one.mean(), other - other.mean()
    spread = np.sqrt((np.mean(a * a) + _NOISE) * (np.mean(b * b) + _NOISE))
    brightness = abs(one.mean() - other.mean()) > 64  # black and white are both flat
    return float((np.mean(a * b) + _NOISE) / spread) - brightness
