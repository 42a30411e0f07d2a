"""Skipped records: those that can't be read, as a CSV file, and how many an evaluation tolerates."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lipfd_jax.storage import files
from lipfd_jax.vocabulary import parse_composite_name

MAX_SKIPPED_SHARE = 0.01  # share of the records; more than this, and more than one, stop the evaluation
_COLUMNS = ("index", "path", "reason")


@dataclass(frozen=True)
class SkippedRecord:
    """A record that can't be read, of which there is no score."""

    index: int  # its number in the source, from 0
    path: str  # CLASS/NAME_J.png; "" where not even that can be read
    reason: str


def read_skipped(file: Path) -> tuple[SkippedRecord, ...]:
    """Reads what `write_skipped` wrote; empty where there is no file. Raises ValueError for other content."""
    if not file.exists():
        return ()
    try:
        with open(file, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
        return tuple(SkippedRecord(int(row["index"]), row["path"], row["reason"]) for row in rows)
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{file}: can't be read ({error}); --overwrite scores anew") from error


def write_skipped(file: Path, skipped: Iterable[SkippedRecord]) -> None:
    """Writes them as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([one.index, one.path, one.reason] for one in skipped)
    files.write_text(file, text.getvalue())


def max_skipped(total: int) -> float:
    """The number of `total` records that may be skipped."""
    return max(1, MAX_SKIPPED_SHARE * total)


def check_skipped_share(skipped: tuple[SkippedRecord, ...], total: int) -> None:
    """Raises ValueError, naming the last one, where too many of `total` records were skipped."""
    if len(skipped) > max_skipped(total):
        raise ValueError(
            f"{len(skipped)} of {total} records can't be read, more than {MAX_SKIPPED_SHARE:.0%}: "
            f"the data are damaged. The last one: {skipped[-1].reason}"
        )


def find_next_record(rows: int, skipped: Iterable[SkippedRecord]) -> int:
    """Number of the record after the first `rows` that are not skipped."""
    missing, index = {one.index for one in skipped}, 0
    while rows or index in missing:
        rows -= index not in missing
        index += 1
    return index


def find_unscored_videos(skipped: Iterable[SkippedRecord], scored: Iterable[str]) -> list[str]:
    """Videos named among the skipped records of which no window was scored, sorted."""
    names = {named.video for one in skipped if (named := parse_composite_name(one.path))}
    return sorted(names - set(scored))
