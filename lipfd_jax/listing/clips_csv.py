"""Lists the clips of a CSV: any folder of videos, described by a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lipfd_jax.listing import folder as folders
from lipfd_jax.listing import names
from lipfd_jax.listing.clips import Clip, ClipError, Listing, drop_duplicates
from lipfd_jax.listing.csv_paths import explain_missing_clip, find_relative_path
from lipfd_jax.listing.csv_tables import (
    CsvTable,
    Row,
    escape_names,
    read_csv_table,
    simplify_word,
    suggest_column,
)
from lipfd_jax.listing.folder import Links
from lipfd_jax.listing.labels import describe_words, explain_label, parse_label
from lipfd_jax.listing.synthetic_mark import is_synthetic
from lipfd_jax.listing.videos import find_unlisted
from lipfd_jax.vocabulary import CLASSES

COLUMNS = ("path", "file", "label", "group", "generator")
_SYNONYMS = {  # a word as `simplify_word` returns it: the column that it probably means
    **dict.fromkeys(("filename", "filepath", "name", "video", "videopath", "clip", "files", "paths"), "path"),
    **dict.fromkeys(("labels", "class", "classes", "category", "target", "truth", "isfake", "fake"), "label"),
    **dict.fromkeys(("source", "speaker", "person", "subject", "identity", "groups", "actor"), "group"),
    **dict.fromkeys(("method", "attack", "manipulation", "model", "algorithm"), "generator"),
}
_PIECES = (  # as `simplify_word` returns them
    *("start", "begin", "from", "starttime", "onset", "offset"),
    *("end", "stop", "to", "endtime", "duration"),
)
_SHOWN_COLUMNS = 10


def list_csv_clips(csv_path: str | Path, links: Links = "refuse") -> Listing:
    """Lists the clips of a CSV, in its order; columns path (or file), label, group, generator.

    The table is read as `read_csv_table` does. Paths are relative to the CSV, or absolute, and stay inside
    its folder; backslashes separate folders as in Windows. Labels are those of `parse_label`; group (the
    source id; the video's own name if empty) and generator are optional. A video's NAME is its path without
    suffix, with "__" for "/"; the suffix is kept where two names would collide. `x.wav` next to `x.mp4` is
    its sound. Problems are unusable rows, links out of the folder (unless links are followed) and files named
    twice; notes are ignored columns and everything that was guessed. Raises ClipError if the file is not such
    a CSV.
    """
    csv_path = Path(csv_path)
    table = read_csv_table(csv_path)
    _check_columns(csv_path, table)
    clips: list[Clip] = []
    problems: list[tuple[str, str]] = []
    for row in table.rows:
        given = row.values.get("path") or row.values.get("file") or ""
        name = find_relative_path(given, csv_path.parent)
        reason = _find_problem(given, name, row, csv_path.parent, links)
        if reason or name is None:
            problems.append((names.escape_controls(given), reason))
        else:
            clips.append(_make_clip(name, row, csv_path.parent, links))
    listing = _name_clips(clips, problems)
    named = {*(clip.path for clip in clips), *(csv_path.parent / name for name, _ in problems)}
    unlisted = find_unlisted(csv_path.parent, named)
    notes, synthetic = tuple(_find_notes(csv_path, table)), is_synthetic(csv_path.parent)
    return replace(listing, notes=notes, unlisted=unlisted, synthetic=synthetic)


def _check_columns(csv_path: Path, table: CsvTable) -> None:
    """Raises ClipError where a column that is needed is missing, with the one that was probably meant."""
    missing = [] if {"path", "file"} & set(table.columns) else ["path"]
    missing += [] if "label" in table.columns else ["label"]
    if not missing:
        return
    near = {name: suggest_column(name, missing, _SYNONYMS) for name in table.columns}
    hints = "".join(f"; rename {names.escape_controls(old)!r} to {new!r}" for old, new in near.items() if new)
    raise ClipError(
        f"{csv_path}: its first line names the columns {escape_names(table.columns[:_SHOWN_COLUMNS])}; "
        f"expected path (or file) and label{hints}"
    )


def _find_notes(csv_path: Path, table: CsvTable) -> list[str]:
    """Returns what a reader of the table should know: guesses, ignored columns, uncommon labels."""
    notes = list(table.notes)
    ignored = table.find_ignored(COLUMNS)
    pieces = [name for name in ignored if simplify_word(name) in _PIECES and table.count_values(name)]
    others = [name for name in ignored if name not in pieces]
    if pieces:
        used = max(table.count_values(name) for name in pieces)
        notes.append(
            f"{csv_path.name}: ignored columns: {', '.join(pieces)} ({used} row(s) have a value): the whole "
            "clip is used, and all of it has the row's label; cut such clips first, for instance "
            "ffmpeg -ss 2 -to 3 -i clip.mp4 part.mp4"
        )
    if others:
        free = [name for name in ("group", "generator") if name not in table.columns]
        near = {name: suggest_column(name, free, _SYNONYMS) for name in others}
        hints = "".join(f"; did you mean {new!r} by {old!r}?" for old, new in near.items() if new)
        more = f" and {len(others) - _SHOWN_COLUMNS} more" if len(others) > _SHOWN_COLUMNS else ""
        notes.append(
            f"{csv_path.name}: ignored columns: {escape_names(others[:_SHOWN_COLUMNS])}{more}"
            f"{names.escape_controls(hints)}"
        )
    words = describe_words(row.values.get("label", "") for row in table.rows)
    return notes + ([f"{csv_path.name}: {words}"] if words else [])


def _make_clip(name: str, row: Row, folder: Path, links: Links) -> Clip:
    path = folder / name
    wav = path.with_suffix(".wav")
    usable = wav.is_file() and (links == "follow" or not folders.leads_outside(wav, folder))
    label = parse_label(row.values["label"])
    assert label is not None  # other rows are problems
    return Clip(
        video=Path(name).as_posix(),
        path=path,
        wav=wav if usable else None,
        label=label,
        source=row.values.get("group", ""),
        generator=row.values.get("generator", ""),
    )


def _name_clips(clips: Sequence[Clip], problems: list[tuple[str, str]]) -> Listing:
    """Replaces relative paths by video ids; repeated rows and ids that still collide become problems."""
    first = {(clip.path, clip.label): clip for clip in reversed(clips)}
    repeated = [clip for clip in clips if first[clip.path, clip.label] is not clip]
    problems += [(clip.video, "is in the table more than once; its first row is taken") for clip in repeated]
    clips = [clip for clip in clips if first[clip.path, clip.label] is clip]
    short = Counter((clip.label, _flatten_path(clip.video, keep_suffix=False)) for clip in clips)
    named: dict[str, Clip] = {}
    for clip in clips:
        name = _flatten_path(clip.video, keep_suffix=False)
        name = _flatten_path(clip.video, keep_suffix=True) if short[clip.label, name] > 1 else name
        video = f"{CLASSES[clip.label]}/{name}"
        if video in named:
            problems.append((clip.video, f"would have the same name as another row: {video}"))
        else:
            named[video] = replace(clip, video=video, source=clip.source or name)
    return drop_duplicates(named.values(), problems)


def _flatten_path(path: str, *, keep_suffix: bool) -> str:
    relative = Path(path)
    return (relative if keep_suffix else relative.with_suffix("")).as_posix().replace("/", "__")


def _find_problem(given: str, name: str | None, row: Row, folder: Path, links: Links) -> str:
    if row.problem:
        return row.problem
    if not given or not names.is_printable(given):
        return f"line {row.line}: a row without a path, or one with control characters"
    if parse_label(row.values.get("label", "")) is None:
        return explain_label(row.values.get("label", ""))
    for column in ("group", "generator"):
        if not names.is_printable(row.values.get(column, "")):
            return f"{column} {row.values[column]!r} holds control characters"
    if name is None:
        return explain_missing_clip(given, folder)
    if links == "refuse" and folders.leads_outside(folder / name, folder):
        return "a link out of the folder of the CSV; copy the file, or use --links=follow"
    return folders.find_file_problem(folder / name, folder, links)
