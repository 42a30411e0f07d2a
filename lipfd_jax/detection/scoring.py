"""Scoring of selected windows of a video, and of further ones around suspicions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lipfd_jax.detection import window_selection
from lipfd_jax.detection.analysis import PartTimer, Progress, VideoAnalysis, ignore_progress
from lipfd_jax.detection.batches import Predict
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.result import WindowScore
from lipfd_jax.detection.stills import Stills, encode_still
from lipfd_jax.evaluation.metrics.pooling import Decision
from lipfd_jax.faces.framing import Square
from lipfd_jax.faces.window_reader import WindowRequest, read_windows
from lipfd_jax.inference.program import choose_part_size
from lipfd_jax.preprocessing.composite import assemble_composite
from lipfd_jax.preprocessing.mel import mel_columns
from lipfd_jax.preprocessing.paper_windows import find_window_span, pick_frames
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, TILE

EXAMPLES_PER_FACE = 3  # windows of each face that the report shows
_ROUNDS = 3  # refinements around suspicious windows


@dataclass(frozen=True)
class WindowImages:
    """A scored window with its images, for the report."""

    face: int  # index among the tracks
    window: WindowScore
    mel: np.ndarray  # (128, columns, 3) uint8 RGB
    frames: np.ndarray  # (5, height, width, 3) uint8 RGB


class WindowScorer:
    """Selects windows, reads and scores them, and refines around suspicious ones."""

    def __init__(
        self,
        analysis: VideoAnalysis,
        predict: Predict,
        settings: DetectionSettings,
        decision: Decision,
        *,
        batch_size: int,
        face_side: int,
        timer: PartTimer,
        progress: Progress = ignore_progress,
    ):
        """Takes what it scores with.

        Args:
          predict: composites (B, 1000, 2500, 3) uint8 to scores (B,) and weights (B, 5, 3).
          face_side: pixels to which face crops are shrunk, the model's.
        """
        self.scored: list[list[WindowScore]] = [[] for _ in analysis.tracks]  # face by face, in order of time
        self.squares: list[Square | None] = []  # crop of each window
        self.stills: Stills = {}  # of windows that reach the threshold
        self.left_out = 0  # tracks that got no window because the budget was spent
        self._analysis, self._settings, self._decision = analysis, settings, decision
        self._predict, self._batch_size = predict, batch_size
        self._side = face_side if settings.crop == "auto" else TILE
        self._timer, self._progress = timer, progress
        self._bounds = analysis.scan.boundaries()
        self._examples: list[list[WindowImages]] = [[] for _ in analysis.tracks]
        self._done = 0
        self._composites = np.empty((batch_size, *COMPOSITE_SHAPE), np.uint8)  # one batch; reused

    def score(self) -> None:
        """Scores all windows."""
        analysis, settings = self._analysis, self._settings
        starts, self.left_out = window_selection.select_windows(analysis.tracks, analysis.scan, settings)
        self._score([(i, int(s)) for i, chosen in enumerate(starts) for s in chosen], refined=False)
        left = 0 if settings.stride > 0 else settings.refined
        for _ in range(_ROUNDS):
            more = self._select_refinements(left)
            if not more:
                break
            left -= len(more)
            self._score(more, refined=True)

    def examples(self) -> tuple[WindowImages, ...]:
        """The most suspicious windows, face by face, the most suspicious first."""
        return tuple(window for kept in self._examples for window in kept)

    def _select_refinements(self, limit: int) -> list[tuple[int, int]]:
        """(track, start frame) of further windows, at most `limit`."""
        more: list[tuple[int, int]] = []
        for index, (track, windows) in enumerate(zip(self._analysis.tracks, self.scored, strict=True)):
            suspicious = self._decision.is_fake(np.array([w.score for w in windows]))
            starts = np.array([w.start_frame for w in windows], np.int64)
            found = window_selection.refine_windows(
                track, self._analysis.scan, starts, suspicious, max(limit - len(more), 0)
            )
            more += [(index, int(start)) for start in found]
        return more

    def _score(self, selected: Sequence[tuple[int, int]], refined: bool) -> None:
        requests = [self._make_request(index, start) for index, start in selected]
        self.squares += [request.square for request in requests]
        batch: list[WindowImages] = []
        reading = read_windows(self._analysis.video, self._analysis.scan, requests) if requests else iter(())
        while True:
            with self._timer.time("frames"):
                entry = next(reading, None)
            if entry is not None:
                batch.append(self._make_images(*entry, refined))
            # The first batch is a pair, as CPUs compute them: the first score comes sooner.
            full = self._batch_size if self._done else choose_part_size(self._batch_size)
            if batch and (entry is None or len(batch) >= full):
                self._score_batch(batch)
                batch = []
            if entry is None:
                break
        for windows in self.scored:
            windows.sort(key=lambda window: window.start_frame)

    def _make_request(self, index: int, start: int) -> WindowRequest:
        track, scan = self._analysis.tracks[index], self._analysis.scan
        (frames,) = pick_frames(self._bounds, np.array([start]))
        square = track.square(int(frames[len(frames) // 2]), scan.width, scan.height)
        return WindowRequest(index, tuple(frames.tolist()), square, self._side)

    def _make_images(self, request: WindowRequest, frames: np.ndarray, refined: bool) -> WindowImages:
        begin, end = find_window_span(self._bounds, request.frames)
        zero, square, sound = self._analysis.scan.times[0], request.square, self._analysis.sound
        assert sound is not None  # without sound no window is selected
        with self._timer.time("mel"):
            mel = sound.cut_mel_image(*mel_columns(begin, end, sound.start))
        window = WindowScore(
            start=round(float(begin - zero), 3),
            end=round(float(end - zero), 3),
            start_frame=request.start,
            score=float("nan"),
            region_weights=(0.0, 0.0, 0.0),
            square=_round_square(square) if square else None,
            refined=refined,
        )
        return WindowImages(request.track, window, mel, frames)

    def _score_batch(self, batch: Sequence[WindowImages]) -> None:
        with self._timer.time("composites"):
            composites = self._composites[: len(batch)]
            for place, images in zip(composites, batch, strict=True):
                assemble_composite(images.mel, images.frames, out=place)
        with self._timer.time("model"):
            scores, weights = self._predict(composites)
        for images, score, shares in zip(batch, scores, weights, strict=True):
            head, face, lip = (round(float(share), 4) for share in shares.sum(axis=0) / shares.sum())
            window = replace(images.window, score=float(score), region_weights=(head, face, lip))
            self.scored[images.face].append(window)
            self._keep_images(replace(images, window=window))
        self._done += len(batch)
        self._progress("scoring", float(self._done), float(len(self.squares)))

    def _keep_images(self, images: WindowImages) -> None:
        if images.window.score >= self._decision.window_threshold:
            self.stills[images.face + 1, images.window.start_frame] = encode_still(images.frames)
        kept = self._examples[images.face]
        kept.append(images)
        kept.sort(key=lambda kept: -kept.window.score)
        del kept[EXAMPLES_PER_FACE:]


def _round_square(square: Square) -> tuple[float, float, float]:
    return round(square.left, 1), round(square.top, 1), round(square.side, 1)
