"""Pairs of a real and a forged window, drawn from clip records: twins, pseudo-forgeries, unrelated ones."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, get_args

import cv2
import grain
import numpy as np

from lipfd_jax.data.clip_index import ClipEntry
from lipfd_jax.data.clip_records import decode_clip
from lipfd_jax.data.clip_windows import ALL_FRAMES, ClipWindow, cut_window
from lipfd_jax.data.corrupt import CorruptRecord, CorruptRecords
from lipfd_jax.data.degradations import DegradationSettings, apply_degradation, draw_degradation
from lipfd_jax.data.pseudo_forgeries import PseudoForgerySettings, apply_pseudo_forgery, draw_pseudo_forgery
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.faces.face_clips import CLIP_SIDE
from lipfd_jax.preprocessing.composite import assemble_composite
from lipfd_jax.settings import check_ranges
from lipfd_jax.vocabulary import TILE

PairKind = Literal["twins", "pseudo", "unrelated"]
KINDS: tuple[PairKind, ...] = get_args(PairKind)
_EPOCH = 2**40  # pairs; Grain wants a length, and no run gets there
_ATTEMPTS = 20  # other pairs tried where a record is corrupt


class _Unreadable(Exception):
    """A record that may be skipped can't be read; its cause says why."""


@dataclasses.dataclass(frozen=True)
class PairSettings:
    """Shares of the kinds of pair, and what happens to their frames; all shares 0: no pairs are drawn."""

    twins: float = 0.0  # a real and a forged clip of one source
    pseudo: float = 0.0  # a real window and its pseudo-forgery
    unrelated: float = 0.0  # any real and any forged clip
    evenness: float = 0.7  # 0: clips are drawn equally often; 1: sources and generators are
    frame_numbers: tuple[int, ...] = ()  # of a window's five frames those that are shown; () draws one
    shift: float = 0.04  # largest shift of the picture, in shares of its side
    zoom: float = 0.08  # largest enlargement and reduction
    flip: float = 0.5  # probability of mirroring
    forgery: PseudoForgerySettings = dataclasses.field(default_factory=PseudoForgerySettings)
    degradation: DegradationSettings = dataclasses.field(default_factory=DegradationSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame_numbers", tuple(self.frame_numbers))  # a list in stored settings
        names = (*KINDS, "evenness", "shift", "zoom", "flip")
        check_ranges(self, "data.pairs.", **dict.fromkeys(names, (0, 1)))
        if set(self.frame_numbers) - set(ALL_FRAMES):
            raise ValueError(f"data.pairs.frame_numbers={self.frame_numbers}: expected some of {ALL_FRAMES}")

    @property
    def wanted(self) -> dict[PairKind, float]:
        """Shares of the kinds that are drawn, summing to one; empty without pairs."""
        shares = {kind: getattr(self, kind) for kind in KINDS if getattr(self, kind) > 0}
        return {kind: share / sum(shares.values()) for kind, share in shares.items()}


@dataclasses.dataclass(frozen=True)
class ClipSet:
    """Clip records that pairs are drawn from."""

    source: RecordReader
    entries: tuple[ClipEntry, ...]  # those that may be drawn
    weight: float = 1.0  # how often its clips are drawn, relative to those of other sets


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """A clip that may be drawn."""

    set_number: int
    entry: ClipEntry
    weight: float


class PairDrawer:
    """Draws pair k as a function of the seed and k alone; a Grain map of positions."""

    def __init__(
        self,
        sets: Sequence[ClipSet],
        settings: PairSettings,
        *,
        seed: int,
        corrupt: Sequence[CorruptRecords],
        composite_side: int = 0,
    ):
        """Sorts the clips of the sets.

        Args:
          sets: where the clips are.
          settings: with one share above 0 at least.
          seed: of all draws.
          corrupt: policy for each set's records that can't be read; another pair is drawn then.
          composite_side: side of faces in the composites that pairs then have too, pixels; 0 for none. All
            five frames of each window are decoded for them.

        Raises:
          ValueError: there are no clips for a kind of pair that is wanted.
        """
        self.sets, self.settings, self.seed, self._corrupt = tuple(sets), settings, seed, tuple(corrupt)
        self._composite_side = composite_side
        found = [
            _Candidate(number, entry, one.weight) for number, one in enumerate(sets) for entry in one.entries
        ]
        self._real = _weigh([c for c in found if c.entry.label == 0], "source", settings.evenness)
        self._forged = _weigh([c for c in found if c.entry.label == 1], "generator", settings.evenness)
        self._twins = _find_twins(found)
        self._check()

    def _check(self) -> None:
        wanted, (real, _), (forged, _) = self.settings.wanted, self._real, self._forged
        counts = f"{len(real)} real and {len(forged)} forged clips, {len(self._twins)} sources with both"
        lacking = {"twins": not self._twins, "pseudo": not real, "unrelated": not (real and forged)}
        for kind in wanted:
            if lacking[kind]:
                raise ValueError(
                    f"data.pairs.{kind}={wanted[kind]:g}: no such pairs in {counts}; set it to 0"
                )

    def __repr__(self) -> str:  # Grain puts it into the iterator's identity
        return f"PairDrawer({[repr(one.source) for one in self.sets]}, seed {self.seed})"

    def __call__(self, position: int) -> dict[str, Any]:
        """Returns a pair as a batch of two, real first.

        `frames` (2, frames, 500, 500, 3) uint8 RGB, `label` int32 (2,), `video` and `source` str, `window`
        int32 (start frame) and `kind`, the kind of the pair, (2,) each. With `composite_side` also
        `composite` (2, 1000, 2500, 3) uint8 RGB, of the same degraded and placed windows.

        Raises:
          CorruptRecord: a record can't be read and may not be skipped.
        """
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng((self.seed, int(position), attempt))
            kinds = self.settings.wanted
            kind = rng.choice(list(kinds), p=list(kinds.values()))
            try:
                return self._draw(str(kind), rng)
            except _Unreadable as error:
                last = error.__cause__
        raise CorruptRecord(f"{_ATTEMPTS} corrupt records in a row; the last: {last}") from last

    def _draw(self, kind: str, rng: np.random.Generator) -> dict[str, Any]:
        real, forged = self._choose(kind, rng)
        numbers = self.settings.frame_numbers or (int(rng.integers(len(ALL_FRAMES))),)
        cut = ALL_FRAMES if self._composite_side else numbers
        windows = [self._cut(real, cut, rng)]
        if kind == "pseudo":
            donor = self._cut(real, cut, rng)
            made = apply_pseudo_forgery(
                draw_pseudo_forgery(rng, self.settings.forgery), windows[0].frames, donor.frames
            )
            pictures = [windows[0].frames, made]
            windows += windows
        else:
            windows.append(self._cut(forged, cut, rng))
            pictures = [window.frames for window in windows]
        tiles = self._change(kind, pictures, rng)
        if not self._composite_side:
            return _make_pair(kind, windows, tiles)
        both = zip(windows, tiles, strict=True)
        composites = [make_tile_composite(window.mel, five, self._composite_side) for window, five in both]
        pair = _make_pair(kind, windows, [five[list(numbers)] for five in tiles])
        return {**pair, "composite": np.stack(composites)}

    def _choose(self, kind: str, rng: np.random.Generator) -> tuple[_Candidate, _Candidate]:
        if kind == "twins":
            real, forged = self._twins[rng.integers(len(self._twins))]
            return real[rng.integers(len(real))], forged[rng.integers(len(forged))]
        (real, odds), (forged, forged_odds) = self._real, self._forged
        first = real[rng.choice(len(real), p=odds)]
        return first, first if kind == "pseudo" else forged[rng.choice(len(forged), p=forged_odds)]

    def _cut(self, candidate: _Candidate, numbers: Sequence[int], rng: np.random.Generator) -> ClipWindow:
        source, index = self.sets[candidate.set_number].source, candidate.entry.index
        moment = rng.random()
        try:
            clip = decode_clip(source[index])
            start = int(clip.starts[int(moment * len(clip.starts))])
            return cut_window(clip, start, numbers)
        except CorruptRecord as error:
            self._corrupt[candidate.set_number].note(index, error)  # raises it, unless it may be skipped
            raise _Unreadable from error

    def _change(
        self, kind: str, pictures: Sequence[np.ndarray], rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Degrades and places the members: alike as far as they are one footage."""
        degradations, places = rng.integers(2**63, size=(2, 2)).tolist()
        if kind != "unrelated":
            degradations[1] = degradations[0]
        if kind == "pseudo":
            places[1] = places[0]
        changed = []
        for frames, own, place in zip(pictures, degradations, places, strict=True):
            degradation = draw_degradation(np.random.default_rng(own), self.settings.degradation)
            frames = apply_degradation(degradation, frames)
            changed.append(place_frames(frames, self.settings, np.random.default_rng(place)))
        return changed


def make_pair_batches(
    drawer: PairDrawer,
    *,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
) -> grain.IterDataset:
    """Returns endless batches of batch_size windows: pairs one behind the other, real first.

    Batches depend on the seed and their number alone; the iterator's state is that number.
    """
    cv2.setNumThreads(0)  # the reading threads are the parallelism
    per_process, rest = divmod(batch_size, 2 * process_count)
    if rest:
        raise ValueError(f"batch_size {batch_size}: pairs need an even share for {process_count} process(es)")
    data = grain.MapDataset.range(_EPOCH).map(drawer)[process_index::process_count]
    batches = data.batch(per_process, drop_remainder=True).map(_join_pairs)
    return batches.to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(threads, 2))
    )


def place_frames(frames: np.ndarray, settings: PairSettings, rng: np.random.Generator) -> np.ndarray:
    """Shifts, zooms and mirrors frames (F, S, S, 3) at random, all alike; returns tiles (F, 500, 500, 3)."""
    height, width = frames.shape[1:3]
    scale = TILE / height, TILE / width  # of rows and columns: tiles are square whatever the frames are
    zoom = 1 + settings.zoom * rng.uniform(-1, 1)
    x, y = settings.shift * TILE * rng.uniform(-1, 1, 2)
    turned = rng.random() < settings.flip
    middle = TILE / 2
    matrix = np.array(
        [
            [scale[1] * zoom, 0, middle - zoom * middle + x],
            [0, scale[0] * zoom, middle - zoom * middle + y],
        ]
    )
    tiles = [
        cv2.warpAffine(frame, matrix, (TILE, TILE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for frame in frames
    ]
    return np.stack([cv2.flip(tile, 1) for tile in tiles] if turned else tiles)


def make_tile_composite(mel: np.ndarray, tiles: np.ndarray, side: int) -> np.ndarray:
    """Returns the composite of a mel strip and tiles (5, 500, 500, 3) with the detail of `side` pixels."""
    if side < CLIP_SIDE:  # as a build of windows shrinks larger faces
        tiles = np.stack([cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA) for tile in tiles])
    return assemble_composite(mel, tiles)


def _make_pair(kind: str, windows: Sequence[ClipWindow], tiles: Sequence[np.ndarray]) -> dict[str, Any]:
    clips = [window.clip for window in windows]
    return {
        "frames": np.stack(tiles),
        "label": np.array([0, 1], np.int32),
        "video": np.array([clip.video for clip in clips]),
        "source": np.array([clip.source for clip in clips]),
        "window": np.array([window.start_frame for window in windows], np.int32),
        "kind": np.array([kind, kind]),
    }


def _join_pairs(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: values.reshape(-1, *values.shape[2:]) for name, values in batch.items()}


def _weigh(
    candidates: Sequence[_Candidate], field: str, evenness: float
) -> tuple[tuple[_Candidate, ...], np.ndarray]:
    """Returns candidates and their probabilities, lower for each the more share its source or generator."""
    names = [getattr(candidate.entry, field) for candidate in candidates]
    counts = Counter(names)
    odds = np.array(
        [c.weight * counts[name] ** -evenness for c, name in zip(candidates, names, strict=True)], float
    )
    return tuple(candidates), odds / odds.sum() if len(odds) else odds


def _find_twins(
    candidates: Sequence[_Candidate],
) -> list[tuple[list[_Candidate], list[_Candidate]]]:
    """Returns the real and the forged clips of each source that holds both."""
    sources: dict[str, tuple[list[_Candidate], list[_Candidate]]] = {}
    for candidate in candidates:
        sources.setdefault(candidate.entry.source, ([], []))[candidate.entry.label].append(candidate)
    return [sources[name] for name in sorted(sources) if all(sources[name])]
