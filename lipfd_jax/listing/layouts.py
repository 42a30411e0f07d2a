"""Lists a folder or archive by its layout: AVLips, videos of a CSV, finished composites.

A new layout is a function that lists it, in a file of its own, an entry of `LAYOUTS`, and a row in
docs/data.md. TFDS configs, their names and the instructions for manual_dir follow from the entry.
"""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lipfd_jax.listing.addresses import explain_address
from lipfd_jax.listing.archives import ARCHIVE_SUFFIXES, unpack_archive
from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.listing.clips import ClipError, Listing, drop_duplicates
from lipfd_jax.listing.clips_csv import list_csv_clips
from lipfd_jax.listing.composites import list_composites, read_window_convention
from lipfd_jax.listing.file_kinds import VIDEO_SUFFIXES
from lipfd_jax.listing.folder import Links, is_hidden, list_entries
from lipfd_jax.listing.synthetic_mark import is_synthetic
from lipfd_jax.vocabulary import CLASSES


@dataclass(frozen=True)
class Layout:
    """How a data set lies in its folder; `clips_csv` is a file name that only layouts of a CSV use."""

    list_clips: Callable[[Path, str, Links], Listing]  # takes the root, clips_csv and links
    is_root: Callable[[Path, str], bool]  # whether a folder, given with clips_csv, holds the data
    expected: str  # what a root holds, in errors; {clips_csv} becomes the name
    instructions: str  # contents of manual_dir, for TFDS
    composites: bool = False  # finished composites of released windows: one config, all in the test split
    held_out: bool = False  # configs put the sources of the official validation windows into the test split


def _has_classes(folder: Path, clips_csv: str) -> bool:
    del clips_csv
    return any((folder / name).is_dir() for name in CLASSES)


def _list_official(root: Path, clips_csv: str, links: Links) -> Listing:
    del clips_csv
    convention = read_window_convention(root)
    if convention != "released":
        raise ClipError(f"{root}: holds {convention} windows; this layout is for the released ones")
    found = list_composites(root, links)
    return dataclasses.replace(drop_duplicates(found.clips, found.problems), synthetic=is_synthetic(root))


# By name, which config names of TFDS begin with; the first one is the default.
LAYOUTS = {
    "avlips": Layout(
        lambda root, clips_csv, links: list_avlips(root, links),
        _has_classes,
        "0_real and 1_fake",
        "0_real/NAME.mp4, 1_fake/NAME.mp4, wav/0_real/NAME.wav, wav/1_fake/NAME.wav, or a zip or tar of "
        "that.",
        held_out=True,
    ),
    "folder": Layout(
        lambda root, clips_csv, links: list_csv_clips(root / clips_csv, links),
        lambda folder, clips_csv: (folder / clips_csv).is_file(),
        "{clips_csv}",
        "videos and clips.csv, with the columns path,label,group,generator (the last two may be missing).",
    ),
    "official_val": Layout(
        _list_official,
        _has_classes,
        "0_real and 1_fake",
        "0_real/NAME_J.png, 1_fake/NAME_J.png, or an archive of them.",
        composites=True,
    ),
}


def list_layout(
    place: str | os.PathLike,
    layout: str,
    *,
    unpack_dir: str | os.PathLike,
    clips_csv: str = "clips.csv",
    links: Links = "refuse",
) -> Listing:
    """Lists a data set.

    Args:
      place: the folder with the data, an archive of it (zip or tar), or a folder that holds only the archive.
      layout: a name in `LAYOUTS`.
      unpack_dir: where an archive is unpacked, once.
      clips_csv: layout `folder`: the CSV, relative to the place.
      links: whether links may lead out of the folder; in an archive they never may.

    Raises:
      ClipError: nothing in this layout exists there, or the archive is not safe to unpack.
      OSError: the disk is full or fails.
    """
    place = Path(place)
    packed = find_archive(place, layout, clips_csv)
    if packed is not None:
        place, links = unpack_archive(packed, Path(unpack_dir)), "refuse"
    root = _find_root(place, layout, clips_csv)
    if root is None:
        raise ClipError(f"{place}: holds no {LAYOUTS[layout].expected.format(clips_csv=clips_csv)}")
    return LAYOUTS[layout].list_clips(root, clips_csv, links)


def find_archive(place: Path, layout: str, clips_csv: str = "clips.csv") -> Path | None:
    """Returns the archive that must be unpacked for a place; None if it is a folder in the layout.

    Raises ClipError if the place does not exist, or holds neither the layout nor exactly one archive.
    """
    if not place.exists():
        raise ClipError(f"{place}: {explain_address(place) or 'no such folder or archive'}")
    if place.is_file():
        return place
    if _find_root(place, layout, clips_csv) is not None:
        return None
    packed = [path for path in list_entries(place) if path.name.lower().endswith(ARCHIVE_SUFFIXES)]
    if len(packed) != 1:
        expected = LAYOUTS[layout].expected.format(clips_csv=clips_csv)
        what = "holds" if any(place.iterdir()) else "an empty folder, with"
        raise ClipError(
            f"{place}: {what} neither {expected} nor exactly one archive of it"
            f"{_suggest_layout(place, layout)}"
        )
    return packed[0]


def _suggest_layout(place: Path, layout: str) -> str:
    """Returns a hint where a folder is in another layout, or holds videos without a table of them."""
    for other in ("avlips", "folder"):
        if other != layout and _find_root(place, other, "clips.csv"):
            return f"; --config={other} reads {LAYOUTS[other].expected.format(clips_csv='clips.csv')}"
    if any(path.suffix.lower() in VIDEO_SUFFIXES for path in place.iterdir()):
        return "; for your own videos write clips.csv (path,label) and give --config=folder"
    return ""


def _find_root(place: Path, layout: str, clips_csv: str) -> Path | None:
    """Returns the first folder with the data at `place` or one or two levels below; None if there is none."""
    return next((p for p in _levels(place) if LAYOUTS[layout].is_root(p, clips_csv)), None)


def _levels(place: Path) -> list[Path]:
    below = [
        sorted(p for p in place.glob(pattern) if p.is_dir() and not is_hidden(p.name))
        for pattern in ("*", "*/*")
    ]
    return [place, *below[0], *below[1]]
