"""Lists the clips of a CSV: any folder of videos, described by a table."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lipfd_jax.listing import folder as folders
from lipfd_jax.listing import names
from lipfd_jax.listing.clips import Clip, ClipError, Listing, drop_duplicates
from lipfd_jax.listing.folder import Links
from lipfd_jax.vocabulary import CLASSES, LABEL_BY_NAME


def list_csv_clips(csv_path: str | Path, links: Links = "refuse") -> Listing:
    """Lists the clips of a CSV, in its order; columns path (or file), label, group, generator.

    Paths are relative to the CSV and stay inside its folder; label is real/fake or 0/1; group (the source id;
    the video's own name if empty) and generator are optional. A video's NAME is its path without suffix,
    with "__" for "/"; the suffix is kept where two names would collide. `x.wav` next to `x.mp4` is its sound.
    Problems are unusable rows, links out of the folder (unless links are followed) and files named twice.
    Raises ClipError if the file is not such a CSV.
    """
    csv_path = Path(csv_path)
    clips: list[Clip] = []
    problems: list[tuple[str, str]] = []
    for row in _read_rows(csv_path):
        name = row.get("path") or row.get("file") or ""
        reason = _find_problem(name, row, csv_path.parent, links)
        if reason:
            problems.append((names.escape_controls(name), reason))
        else:
            clips.append(_make_clip(name, row, csv_path.parent, links))
    return _name_clips(clips, problems)


def _make_clip(name: str, row: dict[str, str], folder: Path, links: Links) -> Clip:
    path = folder / name
    wav = path.with_suffix(".wav")
    usable = wav.is_file() and (links == "follow" or not folders.leads_outside(wav, folder))
    return Clip(
        video=Path(name).as_posix(),
        path=path,
        wav=wav if usable else None,
        label=LABEL_BY_NAME[row["label"].lower()],
        source=row.get("group", ""),
        generator=row.get("generator", ""),
    )


def _name_clips(clips: list[Clip], problems: list[tuple[str, str]]) -> Listing:
    """Replaces relative paths by video ids; clips whose ids still collide become problems."""
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


def _read_rows(csv_path: Path) -> Iterator[dict[str, str]]:
    try:
        with open(csv_path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            columns = set(reader.fieldnames or ())
            if not columns & {"path", "file"} or "label" not in columns:
                raise ClipError(f"{csv_path}: columns {sorted(columns)}, expected path (or file) and label")
            for row in reader:
                yield {key: value.strip() for key, value in row.items() if isinstance(value, str)}
    except (UnicodeDecodeError, csv.Error) as error:
        raise ClipError(f"{csv_path}: can't be read as CSV in UTF-8: {error}") from error
    except OSError as error:
        raise ClipError(f"{csv_path}: can't be read: {error.strerror or error}") from error


def _find_problem(name: str, row: dict[str, str], folder: Path, links: Links) -> str:
    if not name or not name.isprintable():
        return "a row without a path, or one with control characters"
    if row.get("label", "").lower() not in LABEL_BY_NAME:
        return f"label {row.get('label', '')!r}, expected real, fake, 0 or 1"
    for column in ("group", "generator"):
        if not row.get(column, "").isprintable():
            return f"{column} {row[column]!r} holds control characters"
    if folders.climbs_out(name) or (links == "refuse" and folders.leads_outside(folder / name, folder)):
        return "leads out of the folder of the CSV; for links of your own, use --links=follow"
    try:
        is_file = (folder / name).is_file()
    except OSError as error:
        return error.strerror or str(error)
    return folders.find_file_problem(folder / name, folder, links) if is_file else "no such file"
