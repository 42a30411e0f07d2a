"""Outcomes of many videos: a line of the terminal for each, tables, an exit code."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipfd_jax.detection.result_folder import RESULT
from lipfd_jax.detection.texts import OUTCOMES, Outcome, format_number
from lipfd_jax.listing.names import escape_bytes, escape_path
from lipfd_jax.storage import files

TABLE, LEFT_OUT = "results.csv", "left_out.csv"
EXIT_NONE, EXIT_ERROR, EXIT_EVIDENCE, EXIT_OPEN = 0, 1, 10, 11
_COLUMNS = ("file", "outcome", "score", "log10_likelihood_ratio", "probability", "faces", "error", "result")


@dataclass(frozen=True)
class VideoRow:
    """Outcome of one video, a row of the terminal and of results.csv."""

    path: Path
    outcome: Outcome | None  # None for an error
    score: float | None
    log10_likelihood_ratio: float | None
    probability: float | None
    faces: int
    folder: Path | None  # holds result.json and report.html
    error: str = ""
    again: bool = False  # an earlier result was found
    given: str = ""  # the name that was given, where it is no path

    def text(self) -> str:
        """The row as a line for the terminal."""
        name = escape_path(self.path)
        if self.outcome is None:
            return f"error: {escape_path(self.error)}"
        metrics = [] if self.score is None else [f"score {format_number(self.score, 3)}"]
        if self.log10_likelihood_ratio is not None:
            metrics.append(f"likelihood ratio {format_number(10**self.log10_likelihood_ratio)}")
        metrics.append(f"{self.faces} face{'s' * (self.faces != 1)}")
        before = ", judged before" * self.again
        return f"{name}: {OUTCOMES[self.outcome].title} ({', '.join(metrics)}{before})"


def make_row(path: Path, folder: Path, values: dict[str, Any], *, again: bool = False) -> VideoRow:
    """Makes the row of a judged video from the values of its result.json."""
    evidence = values["evidence"]
    return VideoRow(
        path,
        values["outcome"],
        evidence["score"],
        evidence["log10_likelihood_ratio"],
        evidence["probability"],
        len(values["faces"]),
        folder,
        again=again,
    )


def make_error_row(path: Path, error: str, given: str = "") -> VideoRow:
    """Makes the row of a video that could not be judged, or of a name that is no path."""
    return VideoRow(path, None, None, None, None, 0, None, error, given=given)


def choose_exit_code(rows: Sequence[VideoRow]) -> int:
    """Exit code: 1 after an error, else 10 with evidence, 11 if inconclusive or not scored, 0 for none."""
    outcomes = {row.outcome for row in rows}
    if None in outcomes:
        return EXIT_ERROR
    if outcomes & {"strong", "moderate"}:
        return EXIT_EVIDENCE
    return EXIT_OPEN if outcomes & {"inconclusive", "not_judged"} else EXIT_NONE


def write_left_out(output: Path, left_out: Sequence[tuple[Path, str]]) -> None:
    """Writes left_out.csv: what the given folders hold besides videos, with the reason."""
    _write_csv(output / LEFT_OUT, [("file", "reason"), *left_out])


def write_table(output: Path, rows: Sequence[VideoRow]) -> None:
    """Writes results.csv, a line for each row."""
    lines: list[Sequence[object]] = [_COLUMNS]
    for row in rows:
        metrics = (row.score, row.log10_likelihood_ratio, row.probability, row.faces)
        result = row.folder and row.folder / RESULT
        lines.append([row.given or row.path, row.outcome or "error", *metrics, row.error, result or ""])
    _write_csv(output / TABLE, lines)


def _write_csv(path: Path, lines: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    files.write_text(path, escape_bytes(text.getvalue()))
