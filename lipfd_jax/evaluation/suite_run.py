"""Runs a suite: every effect on every video, a scores file for each, going on where a run stopped."""

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from lipfd_jax.evaluation.effects import CLEAN, Effect
from lipfd_jax.evaluation.scores import Scores, read_scores
from lipfd_jax.evaluation.subjects import Subject, partner, with_mels
from lipfd_jax.evaluation.suite_folder import SuiteFolder, cell_file, read_properties
from lipfd_jax.preprocessing.composite import Window, composite
from lipfd_jax.processes import by_first, gather, is_first
from lipfd_jax.vocabulary import picture_name

Score = Callable[[np.ndarray], np.ndarray]  # composites (B, 1000, 2500, 3) uint8 to probabilities (B,)
Measure = Callable[[Subject, Sequence[Window]], dict[str, Any]]  # of a video and its untouched windows


class CellScores(Mapping[str, Scores]):
    """Scores of each cell by its effect's name, read from its file when they are asked for."""

    def __init__(self, folder: Path, names: Sequence[str]):
        self._folder, self._names = folder, tuple(names)

    def __getitem__(self, name: str) -> Scores:
        if name not in self._names:
            raise KeyError(name)
        return read_scores(cell_file(self._folder, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True, eq=False)
class Cells:
    """What a finished run of a suite holds."""

    scores: Mapping[str, Scores]
    missing: dict[str, str]  # of each cell that could not be made, why
    measured: list[dict[str, Any]]  # a row a video of what `measure` found


def run_cells(
    effects: Sequence[Effect],
    subjects: Sequence[Subject],
    score: Score,
    output: str | os.PathLike,
    *,
    identity: Mapping[str, str],
    measure: Measure | None = None,
    overwrite: bool = False,
) -> Cells | None:
    """Scores of all videos under each effect, the untouched ones first.

    Videos come in turn, each under all effects, so that it is decoded once; what was scored is on the disk at
    once and not made again. Several processes (`processes.initialise`) share the videos; the
    first one writes, and the others return None. Videos that fail under an effect are named and left out of
    its cell; a cell in which all fail is missing.

    Raises:
      ValueError: the folder holds cells of another checkpoint or other data; no untouched video can be
        scored; a score is NaN.
    """
    wanted = (CLEAN, *effects)
    missing = {
        effect.name: subjects[0].lacking(effect)
        for effect in wanted
        if all(subject.lacking(effect) for subject in subjects)
    }
    makeable = {effect.name: effect for effect in wanted if effect.name not in missing}
    folders: list[SuiteFolder] = []  # of the first process

    def begin() -> list:
        videos = [subject.video for subject in subjects]
        options = {"properties": bool(measure), "overwrite": overwrite}
        folders.append(SuiteFolder(output, videos, list(makeable), identity, **options))
        return folders[0].left()

    left = by_first(begin)
    shares = [left[process :: jax.process_count()] for process in range(jax.process_count())]
    turns = max(sum(len(names) + unknown for _, names, unknown in share) for share in shares)
    made = _outcomes(shares[jax.process_index()], subjects, makeable, score, measure)
    for _ in tqdm(range(turns), desc=Path(output).name, unit="cell of a video", disable=not is_first()):
        for outcome in gather(list(itertools.islice(made, 1))):
            for folder in folders:
                _note(folder, *outcome)
    if not is_first():
        return None
    empty = folders[0].finish()
    names = [name for name in makeable if name not in empty]
    return Cells(CellScores(Path(output), names), missing | empty, read_properties(Path(output)))


_Outcome = tuple[str, str, str, Any]  # video, cell or properties, what it is, the content: plain values


def _note(folder: SuiteFolder, video: str, what: str, kind: str, content: Any) -> None:
    if kind == "rows":
        folder.add(video, what, content)
    elif kind == "properties":
        folder.add_properties({"video": video, **content})
    elif kind == "failed":
        folder.leave_out(video, what, content)


def _outcomes(
    share: Sequence[tuple[int, list[str], bool]],
    subjects: Sequence[Subject],
    effects: Mapping[str, Effect],
    score: Score,
    measure: Measure | None,
) -> Iterator[_Outcome]:
    """What each cell of each video gives, one after the other."""
    for place, names, unknown in share:
        kept = subjects[place].kept()
        if unknown:
            yield _tried(kept, "its properties", "properties", functools.partial(_measured, kept, measure))
        for name in names:
            effect = effects[name]
            if reason := kept.lacking(effect):
                yield kept.video, name, "lacking", reason
                continue
            made = functools.partial(_rows, effect, kept, subjects, place, score)
            yield _tried(kept, name, "rows", made)


def _measured(subject: Subject, measure: Measure) -> dict[str, Any]:
    return measure(subject, subject.windows(CLEAN))


def _tried(subject: Subject, what: str, kind: str, make: Callable[[], Any]) -> _Outcome:
    try:
        return subject.video, what, kind, make()
    except ValueError as error:
        return subject.video, what, "failed", str(error)


def _rows(
    effect: Effect, subject: Subject, subjects: Sequence[Subject], place: int, score: Score
) -> list[dict[str, Any]]:
    windows = subject.windows(effect)
    if effect.foreign_sound:
        windows = with_mels(windows, partner(subjects, place).windows(CLEAN))
    values = score(np.stack([composite(window) for window in windows]))
    same = {
        "video": subject.video,
        "label": subject.label,
        "source": subject.source,
        "generator": subject.generator,
    }
    return [
        {
            "path": picture_name(subject.video, window.index),
            "score": float(value),
            "window": window.index,
            "start_frame": window.start_frame,
            **same,
        }
        for window, value in zip(windows, values, strict=True)
    ]
