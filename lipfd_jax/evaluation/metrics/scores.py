"""Scores of windows: columns in memory, and a CSV file that survives interruption."""

import contextlib
import csv
import io
import math
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from lipfd_jax.storage.journal import cut_partial_line, keep_whole_lines
from lipfd_jax.vocabulary import CLASSES, parse_composite_name

_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_REQUIRED = ("path", "label", "score")
_SECONDS_BETWEEN_SYNCS = 5.0
_Number = TypeVar("_Number", int, float)


class ScoresError(ValueError):
    """An unusable scores file or row; the message names the place and the reason."""


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One window and its score; the fields, in this order, are the columns of the file."""

    path: str  # CLASS/NAME_J.png, after any folders
    label: int  # 0 real, 1 fake
    score: float  # probability of fake, 0..1
    video: str  # CLASS/NAME
    source: str  # group of videos that share footage or a person
    generator: str = ""  # "" where unknown
    window: int = 0
    start_frame: int = -1  # -1 where unknown


COLUMNS = tuple(field.name for field in fields(ScoreRow))


@dataclass(frozen=True, eq=False)
class Scores:
    """Columns of n windows: strings as object arrays, label, window and start_frame int64, score float64."""

    path: np.ndarray
    label: np.ndarray
    score: np.ndarray
    video: np.ndarray
    source: np.ndarray
    generator: np.ndarray
    window: np.ndarray
    start_frame: np.ndarray

    @classmethod
    def from_rows(cls, rows: Iterable[ScoreRow]) -> "Scores":
        """Checks rows and returns their columns. Raises ScoresError at the first bad row, numbered from 1."""
        rows, check = list(rows), _Checker()
        for number, row in enumerate(rows, start=1):
            check(row, f"row {number}")
        return cls._from_checked(rows)

    @classmethod
    def _from_checked(cls, rows: list[ScoreRow]) -> "Scores":
        types = {"label": np.int64, "score": np.float64, "window": np.int64, "start_frame": np.int64}
        # Object arrays for text: one long path must not widen every cell of a fixed-width column.
        return cls(
            *(np.array([getattr(row, name) for row in rows], types.get(name, object)) for name in COLUMNS)
        )

    def __len__(self) -> int:
        return len(self.path)

    def select(self, index: np.ndarray) -> "Scores":
        """The windows at `index` (a mask of n bools, or positions), in that order."""
        return Scores(*(getattr(self, name)[index] for name in COLUMNS))


def read_scores(file: str | os.PathLike) -> Scores:
    """Reads a scores file; only the columns path, label and score are needed.

    Missing columns are derived from a path `.../CLASS/NAME_J.png`: video CLASS/NAME, source NAME, window J,
    generator "" and start_frame -1. Unknown columns are ignored.

    Raises:
      ScoresError: names the file, the line and the column: missing column or cell, label other than 0 and 1,
        score that is not a number in 0..1, a window twice, a video with two labels, not a CSV file.
      OSError: the file can't be opened.
    """
    with open(file, encoding="utf-8-sig", newline="") as stream:
        return Scores._from_checked(_read_rows(stream, str(file)))


def _read_rows(stream: Iterable[str], name: str) -> list[ScoreRow]:
    rows, check = [], _Checker()
    reader = csv.reader(stream, strict=True)
    try:
        header = _parse_header(next(reader, []), name)
        for cells in reader:
            if not cells:
                continue
            place = f"{name}, line {reader.line_num}"
            if len(cells) != len(header):
                raise ScoresError(f"{place}: {len(cells)} cells where the header has {len(header)} columns")
            rows.append(_parse_row(dict(zip(header, cells, strict=True)), place))
            check(rows[-1], place)
    except csv.Error as error:
        raise ScoresError(f"{name}, line {reader.line_num}: not readable as CSV ({error})") from error
    except UnicodeDecodeError as error:
        raise ScoresError(f"{name}: not a text file in UTF-8 ({error})") from error
    return rows


def _parse_header(cells: list[str], name: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    missing = [column for column in _REQUIRED if column not in header]
    if missing:
        raise ScoresError(
            f"{name}, line 1: missing column {', '.join(missing)}; a scores file starts with the header "
            f"path,label,score (and, optionally, {','.join(COLUMNS[3:])}), "
            f"this one with {','.join(header)[:200]!r}"
        )
    doubled = [column for column in COLUMNS if header.count(column) > 1]
    if doubled:
        raise ScoresError(f"{name}, line 1: column {', '.join(doubled)} appears twice in the header")
    return header


def _parse_row(cells: Mapping[str, str], place: str) -> ScoreRow:
    cells = {column: cell.strip() for column, cell in cells.items()}
    label = _LABELS.get(cells["label"])
    if label is None:
        raise ScoresError(f"{place}, column label: {cells['label']!r} is neither 0 (real) nor 1 (fake)")
    score = _parse_number(cells, "score", float, place)
    given_window, start_frame = (
        _parse_number(cells, column, int, place) if cells.get(column) else None
        for column in ("window", "start_frame")
    )
    named = parse_composite_name(cells["path"])
    video = cells.get("video") or (named.video if named else "")
    source = cells.get("source") or (named.name if named else "")
    window = named.window if given_window is None and named else given_window
    if not video or not source or window is None:
        values = {"video": video, "source": source, "window": window}
        underived = ", ".join(column for column, value in values.items() if value in ("", None))
        raise ScoresError(
            f"{place}, column {underived}: empty and not derivable, as the path {cells['path']!r} is not of "
            "the form CLASS/NAME_J.png"
        )
    return ScoreRow(
        path=cells["path"],
        label=label,
        score=score,
        video=video,
        source=source,
        generator=cells.get("generator", ""),
        window=window,
        start_frame=-1 if start_frame is None else start_frame,
    )


def _parse_number(cells: Mapping[str, str], column: str, kind: type[_Number], place: str) -> _Number:
    try:
        return kind(cells[column])
    except ValueError:
        what = "a number" if kind is float else "a whole number"
        raise ScoresError(f"{place}, column {column}: {cells[column]!r} is not {what}") from None


class _Checker:
    """Checks rows one by one: their values, and their consistency with the rows before them."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}
        self._windows: dict[tuple[str, int], str] = {}
        self._labels: dict[str, tuple[int, str]] = {}

    def __call__(self, row: ScoreRow, place: str) -> None:
        _check_values(row, place)
        key = (row.video, row.window)
        if earlier := self._paths.get(row.path) or self._windows.get(key):
            raise ScoresError(f"{place}, column path: {row.path!r} was already scored at {earlier}")
        label, first = self._labels.setdefault(row.video, (row.label, place))
        if label != row.label:
            raise ScoresError(
                f"{place}, column label: {row.label} for video {row.video!r}, but {label} at {first}"
            )
        self._paths[row.path] = self._windows[key] = place


def _check_values(row: ScoreRow, place: str) -> None:
    for column in ("path", "video", "source"):
        if not getattr(row, column):
            raise ScoresError(f"{place}, column {column}: empty")
    if row.label not in (0, 1):
        raise ScoresError(f"{place}, column label: {row.label!r} is neither 0 (real) nor 1 (fake)")
    if math.isnan(row.score):
        raise ScoresError(f"{place}, column score: NaN for {row.path!r}; the model gave no usable number")
    if not 0 <= row.score <= 1:
        raise ScoresError(
            f"{place}, column score: {row.score!r} is outside 0..1; a score is the probability of fake "
            "(logits become scores by 1/(1+exp(-logit)))"
        )
    folder = row.video.split("/")[0]
    if folder in CLASSES and CLASSES[row.label] != folder:
        raise ScoresError(f"{place}, column label: {row.label} for video {row.video!r} of class {folder}")


class ScoresWriter:
    """Appends rows to a scores file during an evaluation, so that an interrupted one resumes.

    An existing file is continued: paths of rows already in it are `finished`, and an incomplete last line,
    left by a killed process, is cut off. Every `append` reaches the operating system at once
    and the disk every few seconds, so that a killed process loses nothing and a dead machine little.
    """

    def __init__(self, file: str | os.PathLike) -> None:
        """Opens `file`. Raises ScoresError where it holds anything but scores in these columns."""
        self._name, self._check = str(file), _Checker()
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        rows = _repair_file(Path(file))
        for row in rows:
            self._check(row, "an earlier run")
        self.finished = frozenset(row.path for row in rows)
        self._stream = open(file, "a", encoding="utf-8", newline="")  # noqa: SIM115 (closed in close)
        if self._stream.tell() == 0:
            self._write([COLUMNS])
        self._sync()

    def append(self, rows: Iterable[ScoreRow]) -> None:
        """Writes `rows`. Raises ScoresError for a bad one, before any row of this call is written."""
        rows = [replace(row, label=int(row.label), score=float(row.score)) for row in rows]
        for row in rows:
            self._check(row, f"{self._name}, new row")
            if any(mark in str(getattr(row, name)) for name in COLUMNS for mark in "\r\n\0"):
                raise ScoresError(f"{self._name}, new row: line break or zero byte in {row!r}")
        # A float prints with the digits that give the same float back.
        self._write([[getattr(row, name) for name in COLUMNS] for row in rows])
        if time.monotonic() - self._synced > _SECONDS_BETWEEN_SYNCS:
            self._sync()

    def close(self) -> None:
        """Writes everything to the disk and closes the file; a second call does nothing."""
        if not self._stream.closed:
            try:
                self._sync()
            finally:  # a failure to close must not hide the first error
                with contextlib.suppress(OSError):
                    self._stream.close()

    def __enter__(self) -> "ScoresWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _write(self, lines: list) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        try:
            self._stream.write(text.getvalue())
            self._stream.flush()
        except OSError as error:  # it does not name the file
            raise OSError(
                error.errno, f"{error.strerror}; the same command resumes once there is room", self._name
            ) from error

    def _sync(self) -> None:
        os.fsync(self._stream.fileno())
        self._synced = time.monotonic()


def _repair_file(file: Path) -> list[ScoreRow]:
    """Returns the rows of complete lines; cuts off what follows the last line end."""
    header = (",".join(COLUMNS) + "\n").encode()
    content = file.read_bytes() if file.exists() else b""
    whole = keep_whole_lines(content)
    if not (whole.startswith(header) or (not whole and header.startswith(content))):
        raise ScoresError(
            f"{file}: exists and doesn't start with the header {header.decode().strip()!r}, so it is not "
            "the file of an earlier evaluation; move it away or write elsewhere"
        )
    lines = io.TextIOWrapper(io.BytesIO(whole), encoding="utf-8", newline="")
    rows = _read_rows(lines, str(file)) if whole else []
    cut_partial_line(file)
    return rows
