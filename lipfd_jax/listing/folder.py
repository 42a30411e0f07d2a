"""Entries of a folder in natural order, and reasons to refuse one: its name, a link, not a file."""

import errno
import os
import stat
from pathlib import Path
from typing import Literal

from natsort import natsorted

from lipfd_jax.listing import names
from lipfd_jax.listing.addresses import explain_address

# Links out of the data folder. `follow` is for the user's own folders, such as caches and link farms; links
# out of an unpacked archive are always refused.
Links = Literal["refuse", "follow"]
LINKS: tuple[Links, ...] = ("refuse", "follow")
_SYSTEM_FILES = {  # of file managers and file systems, in small letters
    *("thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"),
    "lost+found",
}


def is_hidden(name: str) -> bool:
    """Whether a name is skipped: hidden (AppleDouble's `._NAME` too), or of a file manager."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def list_entries(folder: Path) -> list[Path]:
    """Lists a folder in natural order (2 before 10), without hidden files and files of file managers."""
    return [path for path in _list_all(folder) if not is_hidden(path.name)]


def count_hidden_entries(folder: Path) -> int:
    """Counts the entries of a folder that `list_entries` skips."""
    return sum(is_hidden(path.name) for path in _list_all(folder))


def _list_all(folder: Path) -> list[Path]:
    return natsorted(folder.iterdir(), key=lambda path: path.name) if folder.is_dir() else []


def find_file_problem(path: Path, folder: Path, links: Links) -> str:
    """Returns why a file below `folder` can't be used; empty if it can."""
    reason = names.find_name_problem(path.name) or names.find_name_problem(path.stem)
    if reason:
        return reason
    if reason := find_irregularity(path):
        return reason
    if links == "refuse" and leads_outside(path, folder):
        return "a link out of the data folder; copy the file, or use --links=follow"
    return ""


def find_irregularity(path: Path) -> str:
    """Returns why a path is not that of a regular file; empty if it is. Opens nothing."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ENOENT:
            return explain_missing(path)
        return "a circular link" if error.errno == errno.ELOOP else error.strerror or str(error)
    except ValueError as error:  # a name that no file can have
        return str(error)
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return "a link to a folder, which is not followed" if path.is_symlink() else "a folder"
    return "no file, but a pipe or a device"


def explain_missing(path: Path, plain: str = "no such file or folder") -> str:
    """Returns why there is no file: an address, a link to nothing, or `plain`."""
    if address := explain_address(path):
        return address
    if os.path.islink(path):
        return f"a link to nothing ({os.readlink(path)})"
    return plain


def leads_outside(path: Path, folder: Path) -> bool:
    """Whether a path, with links followed, ends outside a folder."""
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # circular links, impossible names
        return True


def climbs_out(name: str) -> bool:
    """Whether a relative path leaves its folder by itself, without any link."""
    return os.path.isabs(name) or os.path.normpath(name).split(os.sep)[0] == os.pardir
