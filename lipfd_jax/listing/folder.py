"""What lies in a folder, in natural order, and why an entry can't be taken: its name, a link, no file."""

import os
from pathlib import Path
from typing import Literal

from natsort import natsorted

from lipfd_jax.listing import names

# What to do with links that lead out of the data folder. `follow` is for folders that are the user's own,
# such as caches and farms of links; what came out of an archive is always `refuse`d.
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
_LITTER = {"thumbs.db", "desktop.ini"}  # of file managers; names with a leading dot are skipped too


def list_entries(folder: Path) -> list[Path]:
    """What lies in a folder, in natural order (2 before 10), without the litter of file managers."""
    if not folder.is_dir():
        return []
    found = (p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in _LITTER)
    return natsorted(found, key=lambda path: path.name)


def find_file_problem(path: Path, folder: Path, links: Links) -> str:
    """Why a file below `folder` can't be taken; empty where it can."""
    reason = names.find_name_problem(path.name) or names.find_name_problem(path.stem)
    if reason:
        return reason
    if links == "refuse" and leads_outside(path, folder):
        return "a link that leads out of the data folder; copy the file, or give --links=follow"
    try:
        return "" if path.is_file() else "no regular file"
    except OSError as error:
        return error.strerror or str(error)


def leads_outside(path: Path, folder: Path) -> bool:
    """Whether a path, links followed, ends outside of a folder."""
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, no possible name
        return True


def climbs_out(name: str) -> bool:
    """Whether a relative path leads out of its folder by itself, without any link."""
    return os.path.isabs(name) or os.path.normpath(name).split(os.sep)[0] == os.pardir
