"""Scores chosen windows of a video: frames, mel strips, composites, model; and refines around suspicions."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lipfd_jax.detection import window_selection
from lipfd_jax.detection.batches import Predict
from lipfd_jax.detection.coverage import boundaries
from lipfd_jax.detection.detection_settings import Settings
from lipfd_jax.detection.result import WindowScore
from lipfd_jax.detection.sound import Heard
from lipfd_jax.evaluation.metrics.pooling import Decision
from lipfd_jax.faces.framing import Square
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack
from lipfd_jax.faces.window_reader import WindowRequest, read_windows
from lipfd_jax.inference.program import part_of
from lipfd_jax.preprocessing.audio import COLUMNS_PER_SECOND
from lipfd_jax.preprocessing.composite import assemble_composite
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, FRAMES_PER_WINDOW

SHOWN = 3  # windows of each face whose pictures are kept for the report
_ROUNDS = 3  # of refining

# Takes the part ("looking" or "scoring"), how much of it is done and its total (0: unknown): seconds of video
# or windows.
Report = Callable[[str, float, float], None]


def no_report(part: str, done: float, total: float) -> None:
    """Ignores the progress."""


@dataclass(frozen=True)
class Material:
    """What is known of a video before anything is scored."""

    video: Path
    seen: Scan
    heard: Heard | None
    tracks: tuple[FaceTrack, ...]


@dataclass(frozen=True)
class Picture:
    """A window's picture for the report."""

    face: int  # position among the tracks
    window: WindowScore
    mel: np.ndarray  # (128, columns, 3) uint8 RGB
    frames: np.ndarray  # (5, height, width, 3) uint8 RGB


@dataclass
class Clock:
    """Adds up where the time goes."""

    parts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Adds what happens inside to this part."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.parts[name] = self.parts.get(name, 0.0) + time.perf_counter() - begin


class Scorer:
    """Chooses windows, reads and scores them, and refines where they are suspicious."""

    def __init__(
        self,
        material: Material,
        predict: Predict,
        settings: Settings,
        *,
        batch_size: int,
        clock: Clock,
        report: Report,
    ):
        self.material, self.settings = material, settings
        self.scored: list[list[WindowScore]] = [[] for _ in material.tracks]  # by face, ascending in time
        self.squares: list[Square | None] = []  # of all windows
        self._predict, self._batch_size = predict, batch_size
        self._clock, self._report = clock, report
        self._bounds = boundaries(material.seen)
        self._kept: list[list[Picture]] = [[] for _ in material.tracks]
        self._done = 0
        self._composites = np.empty((batch_size, *COMPOSITE_SHAPE), np.uint8)  # of a batch; used again

    def run(self, decision: Decision) -> int:
        """Scores everything; returns how many tracks the budget left out."""
        starts, left_out = window_selection.first_choice(
            self.material.tracks, self.material.seen.times, self.settings.budget
        )
        self._score([(i, int(s)) for i, chosen in enumerate(starts) for s in chosen], refined=False)
        left = 0 if self.settings.stride > 0 else self.settings.refined
        for _ in range(_ROUNDS):
            more = self._refinements(decision, left)
            if not more:
                break
            left -= len(more)
            self._score(more, refined=True)
        return left_out

    def pictures(self) -> list[Picture]:
        """The kept pictures, face by face, most suspicious first."""
        return [picture for kept in self._kept for picture in kept]

    def _refinements(self, decision: Decision, limit: int) -> list[tuple[int, int]]:
        more: list[tuple[int, int]] = []
        for index, (track, windows) in enumerate(zip(self.material.tracks, self.scored, strict=True)):
            over = decision.is_fake([w.score for w in windows])
            starts = np.array([w.start_frame for w in windows], np.int64)
            found = window_selection.refinement(
                track, self.material.seen.times, starts, over, max(limit - len(more), 0)
            )
            more += [(index, int(start)) for start in found]
        return more

    def _score(self, chosen: Sequence[tuple[int, int]], refined: bool) -> None:
        wanted = [self._wanted(index, start) for index, start in chosen]
        self.squares += [window.square for window in wanted]
        batch: list[Picture] = []
        reading = read_windows(self.material.video, self.material.seen, wanted) if wanted else iter(())
        while True:
            with self._clock.part("frames"):
                entry = next(reading, None)
            if entry is not None:
                batch.append(self._picture(*entry, refined))
            # The first batch is a pair, as CPUs compute them: a score comes sooner.
            full = self._batch_size if self._done else part_of(self._batch_size)
            if batch and (entry is None or len(batch) >= full):
                self._score_batch(batch)
                batch = []
            if entry is None:
                break
        for windows in self.scored:
            windows.sort(key=lambda window: window.start_frame)

    def _wanted(self, index: int, start: int) -> WindowRequest:
        track, seen = self.material.tracks[index], self.material.seen
        square = track.square(start + FRAMES_PER_WINDOW // 2, seen.width, seen.height)
        return WindowRequest(index, start, square, reduce=self.settings.crop == "auto")

    def _picture(self, wanted: WindowRequest, frames: np.ndarray, refined: bool) -> Picture:
        with self._clock.part("mel"):
            mel = self._mel(wanted.start)
        zero, square = self.material.seen.times[0], wanted.square
        window = WindowScore(
            start=round(float(self._bounds[wanted.start] - zero), 3),
            end=round(float(self._bounds[wanted.start + FRAMES_PER_WINDOW] - zero), 3),
            start_frame=wanted.start,
            score=float("nan"),
            region_weights=(0.0, 0.0, 0.0),
            square=None
            if square is None
            else tuple(round(v, 1) for v in (square.left, square.top, square.side)),
            refined=refined,
        )
        return Picture(wanted.track, window, mel, frames)

    def _mel(self, start: int) -> np.ndarray:
        """The mel columns of exactly the time in which the frames are shown, as in records."""
        edges = self._bounds[[start, start + FRAMES_PER_WINDOW]]
        first, last = np.rint((edges - self.material.heard.start) * COLUMNS_PER_SECOND).astype(int)
        return self.material.heard.strip(int(first), int(max(last, first + 1)))

    def _score_batch(self, batch: Sequence[Picture]) -> None:
        with self._clock.part("composites"):
            composites = self._composites[: len(batch)]
            for place, picture in zip(composites, batch, strict=True):
                assemble_composite(picture.mel, picture.frames, out=place)
        with self._clock.part("model"):
            scores, weights = self._predict(composites)
        for picture, score, shares in zip(batch, scores, weights, strict=True):
            mean = tuple(round(float(share), 4) for share in shares.mean(axis=0))
            window = replace(picture.window, score=float(score), region_weights=mean)
            self.scored[picture.face].append(window)
            self._keep(replace(picture, window=window))
        self._done += len(batch)
        self._report("scoring", float(self._done), float(len(self.squares)))

    def _keep(self, picture: Picture) -> None:
        kept = self._kept[picture.face]
        kept.append(picture)
        kept.sort(key=lambda kept: -kept.window.score)
        del kept[SHOWN:]
