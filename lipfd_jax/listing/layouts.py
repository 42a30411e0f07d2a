"""Lists a folder or archive by its layout: AVLips, videos of a CSV, finished composites."""

import os
from pathlib import Path
from typing import Literal

from lipfd_jax.listing.archives import ARCHIVE_SUFFIXES, unpack_archive
from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.listing.clips import ClipError, Listing, drop_duplicates
from lipfd_jax.listing.clips_csv import list_csv_clips
from lipfd_jax.listing.composites import list_composites, read_window_convention
from lipfd_jax.listing.folder import Links
from lipfd_jax.vocabulary import CLASSES

Layout = Literal["avlips", "folder", "official_val"]


def list_layout(
    place: str | os.PathLike,
    layout: Layout,
    *,
    unpack_dir: str | os.PathLike,
    clips_csv: str = "clips.csv",
    links: Links = "refuse",
) -> Listing:
    """Lists a data set.

    Args:
      place: the folder with the data, an archive of it (zip or tar), or a folder that holds only the archive.
      unpack_dir: where an archive is unpacked, once.
      clips_csv: layout `folder`: the CSV, relative to the place.
      links: whether links may lead out of the folder; in an archive they never may.

    Raises:
      ClipError: nothing in this layout exists there, or the archive is not safe to unpack.
      OSError: the disk is full or fails.
    """
    place = Path(place)
    expected = clips_csv if layout == "folder" else "0_real and 1_fake"
    packed = find_archive(place, layout, clips_csv)
    if packed is not None:
        place, links = unpack_archive(packed, Path(unpack_dir)), "refuse"
    root = _find_root(place, layout, clips_csv)
    if root is None:
        raise ClipError(f"{place}: holds no {expected}")
    if layout == "folder":
        return list_csv_clips(root / clips_csv, links)
    return list_avlips(root, links) if layout == "avlips" else _list_official(root, links)


def find_archive(place: Path, layout: Layout, clips_csv: str = "clips.csv") -> Path | None:
    """Returns the archive that must be unpacked for a place; None if it is a folder in the layout.

    Raises ClipError if the place does not exist, or holds neither the layout nor exactly one archive.
    """
    if not place.exists():
        raise ClipError(f"{place}: no such folder or archive")
    if place.is_file():
        return place
    if _find_root(place, layout, clips_csv) is not None:
        return None
    packed = sorted(p for p in place.iterdir() if p.name.lower().endswith(ARCHIVE_SUFFIXES))
    if len(packed) != 1:
        expected = clips_csv if layout == "folder" else "0_real and 1_fake"
        raise ClipError(f"{place}: holds neither {expected} nor exactly one archive of it")
    return packed[0]


def _list_official(root: Path, links: Links) -> Listing:
    convention = read_window_convention(root)
    if convention != "released":
        raise ClipError(f"{root}: holds {convention} windows; this layout is for the released ones")
    found = list_composites(root, links)
    return drop_duplicates(found.clips, found.problems)


def _find_root(place: Path, layout: Layout, clips_csv: str) -> Path | None:
    """Returns the first folder with the data at `place` or one or two levels below; None if there is none."""
    if layout == "folder":
        return next((p for p in _levels(place) if (p / clips_csv).is_file()), None)
    return next((p for p in _levels(place) if any((p / name).is_dir() for name in CLASSES)), None)


def _levels(place: Path) -> list[Path]:
    below = [sorted(p for p in place.glob(pattern) if p.is_dir()) for pattern in ("*", "*/*")]
    return [place, *below[0], *below[1]]
