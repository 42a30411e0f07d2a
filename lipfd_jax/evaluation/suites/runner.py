"""Runs a suite: every effect on every video, a scores file for each, going on where a run stopped."""

import functools
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores, ScoresWriter, read_scores
from lipfd_jax.evaluation.suites.videos import Subject, partner, with_mels
from lipfd_jax.perturbations.catalogue import CLEAN, Effect
from lipfd_jax.preprocessing.composite import Window, make_composite
from lipfd_jax.runtime.distributed import gather_lists, is_first_process, run_on_first
from lipfd_jax.storage import files
from lipfd_jax.vocabulary import composite_name

Score = Callable[[np.ndarray], np.ndarray]  # composites (B, 1000, 2500, 3) uint8 to probabilities (B,)
Measure = Callable[[Subject, Sequence[Window]], dict[str, Any]]  # of a video and its untouched windows


class SuiteFolder:
    """Takes rows cell by cell of each video; a cell's file appears, whole, when all videos were tried.

    Until then there is a journal of it, a line a video, so that a stop costs one cell of one video.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        videos: Sequence[str],
        cells: Sequence[str],
        identity: Mapping[str, str],
        *,
        properties: bool = False,
        overwrite: bool = False,
    ):
        """Claims the folder.

        Args:
          properties: whether a row of properties is kept of each video.
          overwrite: remove the cells that are there.

        Raises:
          ValueError: the folder holds cells of something else.
        """
        self._folder, self._videos, self._properties = Path(folder), videos, properties
        self._folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            _clear(self._folder)
        _claim(self._folder / IDENTITY, identity)
        self._open = [name for name in cells if not cell_file(self._folder, name).exists()]
        journals = [self._journal(name) for name in self._open] + [self._folder / PROPERTIES] * properties
        for journal in journals:
            _cut_half_line(journal)
        self._done = {name: {line["video"] for line in _lines(self._journal(name))} for name in self._open}
        self._reasons: dict[str, str] = {}

    def left(self) -> list[tuple[int, list[str], bool]]:
        """Of each video that is not done: its place, the cells it lacks, and whether its properties too."""
        known = {row["video"] for row in read_properties(self._folder)}
        found = []
        for place, video in enumerate(self._videos):
            names = [name for name in self._open if video not in self._done[name]]
            unknown = self._properties and video not in known
            if names or unknown:
                found.append((place, names, unknown))
        return found

    def add(self, video: str, cell: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes a video's scores in one cell. Raises ScoresError for a score that is NaN."""
        Scores.from_rows([ScoreRow(**row) for row in rows])  # checks them
        _append(self._journal(cell), {"video": video, "rows": rows})
        self._done[cell].add(video)

    def add_properties(self, row: Mapping[str, Any]) -> None:
        """Writes what is known of a video without any model."""
        _append(self._folder / PROPERTIES, row)

    def leave_out(self, video: str, what: str, reason: str) -> None:
        """Names what of a video could not be made."""
        self._reasons[what] = reason
        tqdm.write(f"left out of {what!r}: {video}: {reason}", file=sys.stderr)

    def finish(self) -> dict[str, str]:
        """Writes the cells; returns why others are empty. ValueError if the clean one is."""
        empty = {name: self._reasons.get(name, "") for name in self._open if not self._done[name]}
        if CLEAN.name in empty:
            raise ValueError(f"{self._folder}: no video could be scored ({empty[CLEAN.name]})")
        for name in self._open:
            if name not in empty:
                self._write(name)
            self._journal(name).unlink(missing_ok=True)
        return empty

    def _write(self, name: str) -> None:
        fresh = self._folder / f".{name}.csv.tmp"
        fresh.unlink(missing_ok=True)
        with ScoresWriter(fresh) as writer:
            for line in _lines(self._journal(name)):
                writer.append([ScoreRow(**row) for row in line["rows"]])
        os.replace(fresh, cell_file(self._folder, name))

    def _journal(self, name: str) -> Path:
        return self._folder / f".{name}.jsonl"


def read_properties(folder: Path) -> list[dict[str, Any]]:
    """The rows of properties in a suite's folder, by video; none where no suite kept any."""
    return sorted(_lines(folder / PROPERTIES), key=lambda row: row["video"])


def read_identity(folder: Path) -> dict[str, Any]:
    """What the cells in a suite's folder are of."""
    return json.loads((folder / IDENTITY).read_text("utf-8"))


def _lines(journal: Path) -> Iterator[dict[str, Any]]:
    if journal.exists():
        with open(journal, encoding="utf-8") as stream:
            yield from map(json.loads, stream)


def _append(journal: Path, line: Mapping[str, Any]) -> None:
    with open(journal, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _cut_half_line(journal: Path) -> None:
    """Cuts off what a killed process may have left behind the last line end."""
    content = journal.read_bytes() if journal.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        os.truncate(journal, whole)


def _clear(folder: Path) -> None:
    for file in (folder / IDENTITY, *folder.glob("*.csv"), *folder.glob("*.jsonl"), *folder.glob(".*.jsonl")):
        file.unlink(missing_ok=True)


def _claim(note: Path, identity: Mapping[str, str]) -> None:
    if note.exists() and (there := json.loads(note.read_text())) != dict(identity):
        named = next(
            (
                f"{key}: {there.get(key)}, not {value}"
                for key, value in identity.items()
                if there.get(key) != value
            ),
            "",
        )
        raise ValueError(
            f"{note.parent}: holds a suite of something else ({named}); give another --output, or "
            "--overwrite to start anew"
        )
    files.write_json(note, dict(identity))


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

    left = run_on_first(begin)
    shares = [left[process :: jax.process_count()] for process in range(jax.process_count())]
    turns = max(sum(len(names) + unknown for _, names, unknown in share) for share in shares)
    made = _outcomes(shares[jax.process_index()], subjects, makeable, score, measure)
    for _ in tqdm(
        range(turns), desc=Path(output).name, unit="cell of a video", disable=not is_first_process()
    ):
        for outcome in gather_lists(list(itertools.islice(made, 1))):
            for folder in folders:
                _note(folder, *outcome)
    if not is_first_process():
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
    values = score(np.stack([make_composite(window) for window in windows]))
    same = {
        "video": subject.video,
        "label": subject.label,
        "source": subject.source,
        "generator": subject.generator,
    }
    return [
        {
            "path": composite_name(subject.video, window.index),
            "score": float(value),
            "window": window.index,
            "start_frame": window.start_frame,
            **same,
        }
        for window, value in zip(windows, values, strict=True)
    ]


IDENTITY, PROPERTIES = "suite.json", "properties.jsonl"


def cell_file(folder: Path, name: str) -> Path:
    """Where a cell's scores lie when it is complete."""
    return folder / f"{name}.csv"
