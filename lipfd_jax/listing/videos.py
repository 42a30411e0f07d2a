"""Finds the videos in given files and folders."""

from collections.abc import Iterable
from pathlib import Path

import natsort

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.folder import VIDEO_SUFFIXES


def list_videos(paths: Iterable[Path]) -> list[Path]:
    """Returns the given files, and all videos below the given folders, in natural order, each once.

    Raises ClipError for a path that does not exist, and for a folder without videos.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ClipError(f"{path}: no such file or folder")
        inside = [p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()]
        if path.is_dir() and not inside:
            raise ClipError(f"{path}: no video in it; expected files named {' '.join(VIDEO_SUFFIXES)}")
        found += natsort.natsorted(inside) if path.is_dir() else [path]
    return list(dict.fromkeys(found))
