"""The folder of one suite: whose cells it holds, and what of them is there after a stop."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lipfd_jax import files
from lipfd_jax.evaluation.effects import CLEAN
from lipfd_jax.evaluation.scores import ScoreRow, Scores, ScoresWriter

IDENTITY, PROPERTIES = "suite.json", "properties.jsonl"


def cell_file(folder: Path, name: str) -> Path:
    """Where a cell's scores lie when it is complete."""
    return folder / f"{name}.csv"


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
