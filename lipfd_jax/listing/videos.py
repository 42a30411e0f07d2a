"""Finds the videos in given files and folders, and names what is not taken."""

import itertools
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import natsort

from lipfd_jax.listing.addresses import explain_address
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.file_kinds import VIDEO_SUFFIXES, find_kind_problem
from lipfd_jax.listing.folder import find_irregularity, is_hidden
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.listing.problems import count_hidden, group_problems

_MAX_LOOKED_AT = 100_000  # files of a data set's folder, which may be a whole archive
_HIDDEN = "hidden"  # marks what is only counted


@dataclass(frozen=True)
class VideoListing:
    """Videos of given files and folders, in natural order within each folder."""

    videos: tuple[Path, ...]  # each once
    refused: tuple[tuple[str, str], ...] = ()  # given, but missing or no file: (name, reason)
    left_out: tuple[tuple[Path, str], ...] = ()  # in the folders, but not taken: (path, reason)
    hidden: int = 0  # hidden files and folders, and those of file managers

    def summary(self) -> str:
        """Returns lines that count and name what is not taken, by reason; empty if all is."""
        return "\n".join(f"not taken: {line}" for line in _list_left_out(self))


def list_videos(names: Iterable[str | os.PathLike], skip: Path | None = None) -> VideoListing:
    """Lists the given files, whatever their suffix, and all videos below the given folders.

    Links to files are followed, links to folders are not. Hidden files are skipped.

    Args:
      names: paths of files and folders.
      skip: a folder that is not searched unless it is given itself: that of the results.

    Raises:
      ClipError: nothing is found; the message names each path and the reason.
    """
    videos: list[Path] = []
    refused: list[tuple[str, str]] = []
    left_out: list[tuple[Path, str]] = []
    hidden = 0
    for name in names:
        path = Path(name)
        if reason := _find_name_problem(name):
            refused.append((os.fspath(name), reason))
            continue
        if not os.path.isdir(path):
            videos.append(path)
            continue
        found = list(_search_folder(path, skip))
        taken = [p for p, reason in found if not reason]
        hidden += sum(reason == _HIDDEN for _, reason in found)
        others = [(p, reason) for p, reason in found if reason not in ("", _HIDDEN)]
        left_out += natsort.natsorted(others, key=lambda other: other[0])
        left_out += [] if taken else [(path, "no video in it, such as .mp4, .mov, .mkv, .webm or .avi")]
        videos += natsort.natsorted(taken)
    once = (tuple(dict.fromkeys(videos)), tuple(dict.fromkeys(refused)), tuple(dict.fromkeys(left_out)))
    listing = VideoListing(*once, hidden)
    if not listing.videos:
        raise ClipError(_explain_nothing(listing))
    return listing


def find_unlisted(folder: Path, listed: Collection[Path]) -> tuple[str, ...]:
    """Returns relative paths of videos below a folder, by their suffixes, that are not among `listed`.

    Hidden files and linked folders are left out. Looks at `_MAX_LOOKED_AT` files at most.
    """
    known = {os.path.normpath(path) for path in listed}
    found = itertools.islice(_walk_files(folder), _MAX_LOOKED_AT)
    paths = [path for path in found if path.lower().endswith(VIDEO_SUFFIXES) and path not in known]
    return tuple(natsort.natsorted(os.path.relpath(path, folder) for path in paths))


def _walk_files(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(os.path.normpath(folder)):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (os.path.join(place, name) for name in files if not is_hidden(name))


def _find_name_problem(name: str | os.PathLike) -> str:
    """Why a given path is refused; empty for a folder, and for anything that may be opened."""
    text = os.fspath(name)
    if not text:
        return "an empty name, where a file or folder was expected"
    if text == "-" and not os.path.lexists(text):
        return "standard input is not read; save the video as a file first"
    if address := explain_address(text):
        return address
    try:
        os.stat(text)
    except (OSError, ValueError):
        return find_irregularity(Path(text))
    return ""


def _explain_nothing(listing: VideoListing) -> str:
    refused = [f"{escape_controls(name)}: {reason}" for name, reason in listing.refused]
    return "\n".join([*refused, *_list_left_out(listing)])


def _list_left_out(listing: VideoListing) -> list[str]:
    lines = group_problems(listing.left_out, "left_out.csv (--csv)")
    return [*lines, count_hidden(listing.hidden)] if listing.hidden else lines


def _search_folder(folder: Path, skip: Path | None) -> Iterator[tuple[Path, str]]:
    """Yields (path, reason) of all files below a folder and of folders that are not searched."""
    folders = [folder]
    while folders:
        place = folders.pop()
        try:
            with os.scandir(place) as entries:
                found = [(Path(entry.path), entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            yield place, f"can't be read: {error.strerror or error}"
            continue
        for path, is_folder in found:
            if reason := _find_skip_reason(path):
                yield path, reason
            elif not is_folder:
                yield path, find_irregularity(path) or find_kind_problem(path)
            elif skip is None or os.path.realpath(path) != os.path.realpath(skip):
                folders.append(path)


def _find_skip_reason(path: Path) -> str:
    if path.name.startswith(".") and path.suffix.lower() == ".icloud":
        return "only in iCloud: download it first"
    if path.suffix.lower() == ".download":  # a folder, as Safari makes it, or a file
        return "an unfinished download"
    return _HIDDEN if is_hidden(path.name) else ""
