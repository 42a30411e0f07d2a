"""Paths in tables of clips, relative or absolute, with slashes or backslashes; advice for those that fail."""

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from lipfd_jax.listing.addresses import explain_address
from lipfd_jax.listing.file_kinds import VIDEO_SUFFIXES
from lipfd_jax.listing.folder import climbs_out

_WINDOWS_ROOT = re.compile(r"[a-zA-Z]:[\\/]|\\\\")


def find_relative_path(given: str, folder: Path) -> str | None:
    """Returns the path of an existing file relative to `folder`; None where none is inside it.

    As given comes first; then with slashes for backslashes, and in the other forms of Unicode for accents
    (macOS takes letters apart). An absolute path inside the folder becomes relative. Links are not followed.
    """
    for name in _spellings(given):
        relative = _make_relative(name, folder)
        if relative is not None and _exists(folder / relative):
            return relative
    return None


def explain_missing_clip(given: str, folder: Path) -> str:
    """Returns why no file inside `folder` has the given path, and what helps."""
    if address := explain_address(given):
        return address
    outside = f"copy the video into {folder}, or link it there (ln -s) and use --links=follow"
    if _WINDOWS_ROOT.match(given):
        tail = _find_tail(PureWindowsPath(given).parts[1:], folder)
        return f"an absolute path of Windows; write it relative to the CSV{tail}"
    if all(_make_relative(name, folder) is None for name in _spellings(given)):
        tail = _find_tail(Path(given).parts[1:], folder)
        return f"leads out of the folder of the CSV; {outside}{tail}"
    other = _find_other_case(folder / given.replace("\\", "/"), folder)
    return "no such file" + (f"; there is {other}" if other else "")


def _spellings(given: str) -> Iterator[str]:
    slashed = given.replace("\\", "/")
    for name in dict.fromkeys((given, slashed)):
        yield from dict.fromkeys((name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))))


def _make_relative(name: str, folder: Path) -> str | None:
    """Returns a path relative to the folder, without `..`; None for one that leaves the folder."""
    if not os.path.isabs(name):
        return None if climbs_out(name) else name
    parent, last = os.path.split(os.path.normpath(name))
    for start, root in ((parent, folder.absolute()), (os.path.realpath(parent), folder.resolve())):
        inside = os.path.relpath(os.path.join(start, last), os.path.normpath(root))
        if not climbs_out(inside):
            return inside
    return None


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False


def _find_tail(parts: tuple[str, ...], folder: Path) -> str:
    """Returns a hint with the longest end of a path that exists in the folder."""
    for start in range(len(parts)):
        if _exists(folder.joinpath(*parts[start:])):
            return f", here probably {'/'.join(parts[start:])}"
    return ""


def _find_other_case(path: Path, folder: Path) -> str:
    """Returns a file of the same name in other case, or with another suffix."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
    except (OSError, ValueError):
        return ""
    wanted = path.name.lower()
    same = [name for name in names if name.lower() == wanted or Path(name).stem.lower() == wanted]
    same += [
        name
        for name in names
        if Path(name).stem.lower() == Path(wanted).stem and Path(name).suffix.lower() in VIDEO_SUFFIXES
    ]
    return os.path.relpath(path.with_name(same[0]), folder) if same else ""
