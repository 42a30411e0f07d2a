"""Entries of a folder in natural order, and reasons to refuse one: its name, a link, not a file."""

import os
from pathlib import Path
from typing import Literal

from natsort import natsorted

from lipfd_jax.listing import names

# Links out of the data folder. `follow` is for the user's own folders, such as caches and link farms; links
# out of an unpacked archive are always refused.
Links = Literal["refuse", "follow"]
LINKS: tuple[Links, ...] = ("refuse", "follow")
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
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}  # names with a leading dot are skipped too


def list_entries(folder: Path) -> list[Path]:
    """Lists a folder in natural order (2 before 10), without hidden files and files of file managers."""
    if not folder.is_dir():
        return []
    found = (
        p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in _SYSTEM_FILES
    )
    return natsorted(found, key=lambda path: path.name)


def find_file_problem(path: Path, folder: Path, links: Links) -> str:
    """Returns why a file below `folder` can't be used; empty if it can."""
    reason = names.find_name_problem(path.name) or names.find_name_problem(path.stem)
    if reason:
        return reason
    if links == "refuse" and leads_outside(path, folder):
        return "a link out of the data folder; copy the file, or use --links=follow"
    try:
        return "" if path.is_file() else "not a regular file"
    except OSError as error:
        return error.strerror or str(error)


def leads_outside(path: Path, folder: Path) -> bool:
    """Whether a path, with links followed, ends outside a folder."""
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # circular links, impossible names
        return True


def climbs_out(name: str) -> bool:
    """Whether a relative path leaves its folder by itself, without any link."""
    return os.path.isabs(name) or os.path.normpath(name).split(os.sep)[0] == os.pardir
