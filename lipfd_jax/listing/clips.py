"""Which clips a data set holds: the AVLips folder layout, or any folder of videos described by a CSV."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from natsort import natsorted

from lipfd_jax.vocabulary import CLASSES, LABEL_OF

VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".mpg",
    ".mpeg",
    ".ts",
    ".flv",
    ".wmv",
    ".3gp",
)
_LITTER = {
    "thumbs.db",
    "desktop.ini",
}  # what file managers leave behind; names with a leading dot are skipped too


class ClipError(ValueError):
    """An input that can't be used; the message names the file and the reason."""


@dataclass(frozen=True)
class Clip:
    """One labelled video of a data set, before anything of it was read."""

    video: str  # video id "CLASS/NAME", unique in its data set
    path: Path  # the video file
    wav: Path | None  # the wav beside it; None: the track inside the video
    label: int  # 0 real, 1 fake
    source: str  # id of the footage or person; clips that share it belong on one side of a split
    generator: str = ""  # what made the forgery, where known


@dataclass(frozen=True)
class Listing:
    """The clips of a data set, and what was found that is none."""

    clips: tuple[Clip, ...]
    problems: tuple[tuple[str, str], ...]  # (name, reason)


def avlips_clips(folder: str | Path) -> Listing:
    """The clips of a folder in the AVLips layout, in natural order, real ones first.

    The layout is `0_real/NAME.mp4`, `1_fake/NAME.mp4` (any video suffix), `wav/0_real/NAME.wav` and
    `wav/1_fake/NAME.wav`. Real NAME and fake NAME show the same footage, so the source id is NAME. A wav
    without a video, a file that is no video and a link that leads out of the folder are listed as problems.
    Raises ClipError where neither class folder exists.
    """
    folder = Path(folder)
    if not any((folder / name).is_dir() for name in CLASSES):
        raise ClipError(f"{folder}: holds neither 0_real nor 1_fake; expected the AVLips layout")
    clips: dict[str, Clip] = {}
    problems: list[tuple[str, str]] = []
    for label, name in enumerate(CLASSES):
        for path in _files(folder / name):
            video = f"{name}/{path.stem}"
            reason = _objection(path, folder) or (
                f"has the name of {clips[video].path.name}" if video in clips else ""
            )
            if reason:
                problems.append((f"{name}/{_printable(path.name)}", reason))
                continue
            wav = folder / "wav" / name / f"{path.stem}.wav"
            if wav.exists() and _leaves(wav, folder):
                problems.append(
                    (f"{name}/{path.name}", "its wav is a link that leads out of the data folder")
                )
                continue
            clips[video] = Clip(video, path, wav if wav.exists() else None, label, source=path.stem)
    problems += _lone_wavs(folder)
    return Listing(tuple(clips.values()), tuple(problems))


def folder_clips(csv_path: str | Path) -> Listing:
    """The clips a CSV names, in its order; columns path (or file), label, group, generator.

    Paths are relative to the CSV and stay inside its folder; label is real/fake or 0/1; group (the source id;
    the video's own name where empty) and generator may be missing. A video's NAME is its path without suffix,
    with "__" for "/"; the suffix is kept where two names would collide. `x.wav` beside `x.mp4` is its sound.
    Rows that can't be used are listed as problems. Raises ClipError where the file is no such CSV.
    """
    csv_path = Path(csv_path)
    folder = csv_path.parent
    clips: list[Clip] = []
    problems: list[tuple[str, str]] = []
    for row in _rows(csv_path):
        name = row.get("path") or row.get("file") or ""
        label = LABEL_OF.get(row.get("label", "").lower())
        path = folder / name
        reason = _row_objection(name, label, row.get("label", ""), path, folder)
        if reason:
            problems.append((name, reason))
            continue
        wav = path.with_suffix(".wav")
        usable = wav.is_file() and not _leaves(wav, folder)
        clips.append(
            Clip(
                Path(name).as_posix(),
                path,
                wav if usable else None,
                label,
                row.get("group", ""),
                row.get("generator", ""),
            )
        )
    return _named(clips, problems)


def _named(clips: list[Clip], problems: list[tuple[str, str]]) -> Listing:
    """Video ids for clips that carry their relative path so far; what still collides becomes a problem."""
    short = Counter((clip.label, _flat(clip.video, keep_suffix=False)) for clip in clips)
    named: dict[str, Clip] = {}
    for clip in clips:
        name = _flat(clip.video, keep_suffix=False)
        name = _flat(clip.video, keep_suffix=True) if short[clip.label, name] > 1 else name
        video = f"{CLASSES[clip.label]}/{name}"
        if video in named:
            problems.append((clip.video, f"would have the same name as another row: {video}"))
        else:
            named[video] = replace(clip, video=video, source=clip.source or name)
    return Listing(tuple(named.values()), tuple(problems))


def _flat(path: str, *, keep_suffix: bool) -> str:
    relative = Path(path)
    return (relative if keep_suffix else relative.with_suffix("")).as_posix().replace("/", "__")


def _rows(csv_path: Path) -> Iterator[dict[str, str]]:
    try:
        with open(csv_path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            columns = set(reader.fieldnames or ())
            if not columns & {"path", "file"} or "label" not in columns:
                raise ClipError(f"{csv_path}: columns {sorted(columns)}, expected path (or file) and label")
            for row in reader:
                yield {key: value.strip() for key, value in row.items() if isinstance(value, str)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ClipError(f"{csv_path}: can't be read as CSV in UTF-8: {error}") from error


def _row_objection(name: str, label: int | None, given: str, path: Path, folder: Path) -> str:
    if not name or not name.isprintable():
        return "a row without a path, or one with control characters"
    if label is None:
        return f"label {given!r}, expected real, fake, 0 or 1"
    if _leaves(path, folder):
        return "leads out of the folder of the CSV"
    try:
        return "" if path.is_file() else "no such file"
    except OSError as error:
        return error.strerror or str(error)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _files(folder: Path) -> list[Path]:
    """What lies in a folder, in natural order (2 before 10), without the litter of file managers."""
    if not folder.is_dir():
        return []
    names = (p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in _LITTER)
    return natsorted(names, key=lambda path: path.name)


def _objection(path: Path, folder: Path) -> str:
    if not path.name.isprintable():  # records hold names as UTF-8, reports one per line
        return "its name holds control characters or is not UTF-8; rename it"
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return f"no video by its name (expected one of {' '.join(VIDEO_SUFFIXES)})"
    if _leaves(path, folder):
        return "a link that leads out of the data folder; copy the file instead"
    return "" if path.is_file() else "no regular file"


def _leaves(path: Path, folder: Path) -> bool:
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, no possible name
        return True


def _lone_wavs(folder: Path) -> list[tuple[str, str]]:
    videos = {(name, path.stem) for name in CLASSES for path in _files(folder / name)}
    return [
        (f"wav/{name}/{_printable(path.name)}", "a wav without a video")
        for name in CLASSES
        for path in _files(folder / "wav" / name)
        if path.suffix.lower() == ".wav" and (name, path.stem) not in videos
    ]
