"""Reads tables as people save them: commas, semicolons or tabs, UTF-8 or Excel's encodings, any case."""

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.names import escape_controls

_SEPARATORS = (",", ";", "\t", "|")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HEAD, _UTF16_SHARE = 200, 5  # bytes looked at, of which UTF-16 has more than a fifth NULs
_FALLBACK = "cp1252"  # Excel's plain CSV in Western Europe and America


@dataclass(frozen=True)
class Row:
    """A row of a table with at least one value."""

    line: int  # of the file, from 1; the last one of a row over several
    values: Mapping[str, str]  # by column, without spaces at the ends
    problem: str = ""  # why its values can't be assigned to the columns


@dataclass(frozen=True)
class CsvTable:
    """Rows of a CSV file, by names of columns in lower case."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  # how the file was read, where that was a guess

    def find_ignored(self, known: Sequence[str]) -> list[str]:
        """Returns the columns that are not in `known`, without nameless ones that hold nothing."""
        return [name for name in self.columns if name not in known and (name or self.count_values(name))]

    def count_values(self, column: str) -> int:
        """Returns the number of rows with a value in a column."""
        return sum(bool(row.values.get(column)) for row in self.rows)


def read_csv_table(path: str | Path) -> CsvTable:
    """Reads a CSV with a header.

    The separator (comma, semicolon, tab or bar) is that of the header, or of Excel's line `sep=;`. The text
    is UTF-8, UTF-16 (Excel's 'Unicode text') or else Windows-1252. Names of columns are compared in lower
    case, without spaces at their ends. Rows without a value are skipped.

    Raises:
      ClipError: the file can't be read, is no text, or has two columns of one name.
    """
    path = Path(path)
    text, notes = _decode(path, _read_bytes(path))
    if not text.strip():
        raise ClipError(f"{path}: is empty; expected a first line that names the columns")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    separator, skipped = _find_separator(lines)
    reader = csv.reader((f"{line}\n" for line in lines[skipped:]), delimiter=separator, skipinitialspace=True)
    try:
        columns = tuple(name.strip().lower() for name in next(reader, []))
        rows = [
            _make_row(columns, cells, skipped + reader.line_num)
            for cells in reader
            if any(map(str.strip, cells))
        ]
    except csv.Error as error:
        raise ClipError(f"{path}: line {skipped + reader.line_num} can't be read as CSV: {error}") from error
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise ClipError(f"{path}: has two columns named {twice[0]!r}; remove or rename one")
    return CsvTable(columns, tuple(rows), tuple(notes))


def suggest_column(name: str, wanted: Sequence[str], synonyms: Mapping[str, str]) -> str:
    """Returns the column that a misspelt name or a synonym probably means; "" where none is near.

    Args:
      wanted: names of columns.
      synonyms: columns by words as `simplify_word` returns them.
    """
    plain = simplify_word(name)
    if plain in synonyms:
        return synonyms[plain] if synonyms[plain] in wanted else ""
    near = difflib.get_close_matches(plain, wanted, n=1, cutoff=0.7)
    return near[0] if near else ""


def simplify_word(text: str) -> str:
    """Returns a word of a table as it is compared: in lower case, without spaces, hyphens and underscores."""
    return "".join(text.lower().replace("_", "").replace("-", "").split())


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClipError(f"{path}: can't be read: {error.strerror or error}") from error


def _decode(path: Path, data: bytes) -> tuple[str, list[str]]:
    """Returns the text of a file, and a note where its encoding is a guess."""
    if data.startswith(b"PK\x03\x04") or data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ClipError(f"{path}: a spreadsheet or zip, not a CSV; save it as 'CSV UTF-8'")
    if data.startswith(_UTF16_MARKS):
        return _decode_as(path, data, "utf-16"), []
    if data[:_HEAD].count(0) > len(data[:_HEAD]) / _UTF16_SHARE:  # UTF-16 without a mark
        return _decode_as(path, data, "utf-16-be" if data[:1] == b"\0" else "utf-16-le"), []
    if b"\0" in data:
        raise ClipError(f"{path}: holds NUL bytes, so it is no text or damaged; save it anew as 'CSV UTF-8'")
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        note = (
            f"{path.name} is not UTF-8 and was read as Windows-1252; if names with accents are not found or "
            "look wrong, save it as 'CSV UTF-8'"
        )
        return _decode_as(path, data, _FALLBACK), [note]


def _decode_as(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ClipError(f"{path}: can't be read as CSV in UTF-8: {error}; save it as 'CSV UTF-8'") from error


def _find_separator(lines: Sequence[str]) -> tuple[str, int]:
    """Returns the separator of a table and the number of lines before its header."""
    for number, line in enumerate(lines):
        if line.lower().startswith("sep=") and len(line) == 5:
            return line[4], number + 1
        if line.strip(' \t;,|"'):
            return max(_SEPARATORS, key=lambda mark: _count_outside_quotes(line, mark)), number
    return ",", 0


def _count_outside_quotes(line: str, mark: str) -> int:
    return sum(part.count(mark) for part in line.split('"')[::2])


def _make_row(columns: Sequence[str], cells: Sequence[str], line: int) -> Row:
    cells = [cell.strip() for cell in cells]
    while len(cells) > len(columns) and not cells[-1]:
        cells.pop()
    values = dict(zip(columns, cells, strict=False))
    if len(cells) <= len(columns):
        return Row(line, values)
    return Row(
        line,
        values,
        f"line {line} has {len(cells)} values for {len(columns)} columns; put quotes around a value that "
        "holds a separator",
    )


def escape_names(names: Sequence[str]) -> str:
    """Returns names of columns for a message."""
    return ", ".join(escape_controls(name) or "one without a name" for name in names)
