"""Which videos are meant by the paths of files and folders."""

from collections.abc import Iterable
from pathlib import Path

import natsort

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.folder import VIDEO_SUFFIXES


def list_videos(paths: Iterable[Path]) -> list[Path]:
    """The files named, and all videos below the folders named, in natural order, each once.

    Raises ClipError for a path that is not there, and for a folder without any video.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ClipError(f"{path}: no such file or folder")
        inside = [p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()]
        if path.is_dir() and not inside:
            raise ClipError(f"{path}: no video there; expected files named {' '.join(VIDEO_SUFFIXES)}")
        found += natsort.natsorted(inside) if path.is_dir() else [path]
    return list(dict.fromkeys(found))
