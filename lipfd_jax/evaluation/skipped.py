"""Records that could not be read during an evaluation: kept beside the scores, named and counted."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from lipfd_jax import files
from lipfd_jax.evaluation.predict import Skipped
from lipfd_jax.vocabulary import parse_picture_name

SHARE = 0.01  # of the records; more than this and more than one are no accident, and stop the evaluation
_COLUMNS = ("index", "path", "reason")


def read_skipped(file: Path) -> tuple[Skipped, ...]:
    """What `write_skipped` wrote; nothing where there is no file. ValueError for any other content."""
    if not file.exists():
        return ()
    try:
        with open(file, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
        return tuple(Skipped(int(row["index"]), row["path"], row["reason"]) for row in rows)
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{file}: can't be read ({error}); --overwrite scores anew") from error


def write_skipped(file: Path, skipped: Iterable[Skipped]) -> None:
    """Writes them as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([one.index, one.path, one.reason] for one in skipped)
    files.write_text(file, text.getvalue())


def most(total: int) -> float:
    """How many of `total` records may be skipped."""
    return max(1, SHARE * total)


def check_share(skipped: tuple[Skipped, ...], total: int) -> None:
    """Raises ValueError, naming the last one, where too many of `total` records were skipped."""
    if len(skipped) > most(total):
        raise ValueError(
            f"{len(skipped)} of {total} records can't be read, more than {SHARE:.0%}: the data are damaged. "
            f"The last one: {skipped[-1].reason}"
        )


def next_record(rows: int, skipped: Iterable[Skipped]) -> int:
    """Number of the record after the first `rows` that are not skipped."""
    missing, index = {one.index for one in skipped}, 0
    while rows or index in missing:
        rows -= index not in missing
        index += 1
    return index


def unscored_videos(skipped: Iterable[Skipped], scored: Iterable[str]) -> list[str]:
    """Videos named among the skipped records of which no window was scored, sorted."""
    names = {named.video for one in skipped if (named := parse_picture_name(one.path))}
    return sorted(names - set(scored))
