"""Folder of a suite: a scores file for each perturbation, and journals from which a run resumes."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from lipfd_jax.evaluation.metrics.scores import ScoreRow, Scores, ScoresWriter, read_scores
from lipfd_jax.evaluation.suites.results import SuiteIdentity
from lipfd_jax.perturbations.perturbation import CLEAN
from lipfd_jax.storage.claims import claim_note, read_note
from lipfd_jax.storage.error_log import append_traceback
from lipfd_jax.storage.journal import append_json_line, cut_partial_line, read_json_lines

IDENTITY, PROPERTIES = "suite.json", "properties.jsonl"


class Remaining(NamedTuple):
    """The part of a video's work that no earlier run finished; plain values, which processes exchange."""

    place: int  # number of the video
    names: list[str]  # perturbations without scores
    properties: bool  # whether its properties are missing too


class SuiteFolder:
    """Collects rows of each video and perturbation; a scores file appears, whole, when all videos were tried.

    Until then a perturbation has a journal with one line a video, so that a stopped run loses at most the
    scores of one video under one perturbation.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        videos: Sequence[str],
        names: Sequence[str],
        identity: SuiteIdentity,
        *,
        properties: bool = False,
        overwrite: bool = False,
    ):
        """Claims the folder.

        Args:
          names: of perturbations, clean among them.
          properties: whether a row of properties is kept of each video.
          overwrite: remove the scores that are there.

        Raises:
          ValueError: the folder holds scores of other weights, data or precision.
        """
        self._folder, self._videos, self._properties = Path(folder), videos, properties
        self._folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            _clear_folder(self._folder)
        wanted = asdict(identity)
        claim_note(self._folder / IDENTITY, wanted, lambda found: _find_conflict(found, wanted))
        self._open = [name for name in names if not locate_scores(self._folder, name).exists()]
        for journal in [*map(self._journal, self._open), self._folder / PROPERTIES]:
            cut_partial_line(journal)
        self._done = {
            name: {line["video"] for line in read_json_lines(self._journal(name))} for name in self._open
        }
        self._reasons: dict[str, str] = {}

    def list_remaining(self) -> list[Remaining]:
        """The work left, by video; finished videos are left out."""
        known = {row["video"] for row in read_properties(self._folder)}
        found = []
        for place, video in enumerate(self._videos):
            names = [name for name in self._open if video not in self._done[name]]
            unknown = self._properties and video not in known
            if names or unknown:
                found.append(Remaining(place, names, unknown))
        return found

    def add_scores(self, video: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes a video's scores under one perturbation. Raises ScoresError for a score that is NaN."""
        Scores.from_rows([ScoreRow(**row) for row in rows])  # checks them
        append_json_line(self._journal(name), {"video": video, "rows": rows})
        self._done[name].add(video)

    def add_properties(self, row: Mapping[str, Any]) -> None:
        """Writes a video's row of properties that need no model."""
        append_json_line(self._folder / PROPERTIES, row)

    def report_failure(self, video: str, name: str, reason: str, traceback: str = "") -> None:
        """Prints why a video has no scores under a perturbation, and keeps the reason.

        The traceback of an unexpected error is appended to the folder's log.
        """
        if traceback:
            reason = f"{reason}; traceback in {append_traceback(self._folder, video, traceback)}"
        self._reasons[name] = reason
        tqdm.write(f"left out of {name!r}: {video}: {reason}", file=sys.stderr)

    def finish(self) -> dict[str, str]:
        """Writes the scores files; returns names without any score, with the reason.

        Raises ValueError if clean is one of them.
        """
        empty = {name: self._reasons.get(name, "") for name in self._open if not self._done[name]}
        if CLEAN.name in empty:
            raise ValueError(f"{self._folder}: no video could be scored ({empty[CLEAN.name]})")
        for name in self._open:
            if name not in empty:
                self._write_scores(name)
            self._journal(name).unlink(missing_ok=True)
        return empty

    def _write_scores(self, name: str) -> None:
        fresh = self._folder / f".{name}.csv.tmp"
        fresh.unlink(missing_ok=True)
        with ScoresWriter(fresh) as writer:
            for line in read_json_lines(self._journal(name)):
                writer.append([ScoreRow(**row) for row in line["rows"]])
        os.replace(fresh, locate_scores(self._folder, name))

    def _journal(self, name: str) -> Path:
        return self._folder / f".{name}.jsonl"


class StoredScores(Mapping[str, Scores]):
    """Scores by perturbation, each read from its file on access."""

    def __init__(self, folder: Path, names: Sequence[str]):
        self._folder, self._names = folder, tuple(names)

    def __getitem__(self, name: str) -> Scores:
        if name not in self._names:
            raise KeyError(name)
        return read_scores(locate_scores(self._folder, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def locate_scores(folder: Path, name: str) -> Path:
    """The file of a perturbation's scores, which exists when they are complete."""
    return folder / f"{name}.csv"


def read_properties(folder: Path) -> list[dict[str, Any]]:
    """Rows of properties in a suite's folder, by video; none where the suite keeps none."""
    return sorted(read_json_lines(folder / PROPERTIES), key=lambda row: row["video"])


def read_identity(folder: Path) -> SuiteIdentity:
    """Identity of the scores in a suite's folder. Raises ValueError where its note is damaged."""
    note = read_note(folder / IDENTITY)
    try:
        return SuiteIdentity(**note)
    except TypeError as error:
        raise ValueError(
            f"{folder / IDENTITY}: of another version ({error}); --overwrite starts anew"
        ) from error


def _find_conflict(found: Mapping[str, Any], wanted: Mapping[str, str]) -> str:
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if not differing and found == wanted:
        return ""
    named = f"{differing[0]}: {found.get(differing[0])}, not {wanted[differing[0]]}" if differing else ""
    return f"holds a suite with other inputs ({named})"


def _clear_folder(folder: Path) -> None:
    for file in (folder / IDENTITY, *folder.glob("*.csv"), *folder.glob("*.jsonl"), *folder.glob(".*.jsonl")):
        file.unlink(missing_ok=True)
