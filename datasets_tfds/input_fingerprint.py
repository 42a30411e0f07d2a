"""What a build was made from, as sums that tell other data from the same data elsewhere."""

import hashlib
import json
import pathlib

from datasets_tfds.build_settings import Settings
from datasets_tfds.errors import BuildError
from lipfd_jax.listing.clips import Listing
from lipfd_jax.listing.layouts import find_archive, list_layout

_ENDS = 1 << 20  # bytes at each end of an archive that go into its sum


def describe(place: pathlib.Path, listing: Listing, settings: Settings) -> dict[str, str]:
    """The sums of what a place holds: of the listing (names, sizes), and of the archive if it is in one."""
    packed = find_archive(place, settings.layout, settings.clips_csv)
    return {"listing": _listing_sum(listing), "archive": _archive_sum(packed) if packed else ""}


def listed(place: pathlib.Path, settings: Settings, unpack_dir: pathlib.Path) -> Listing:
    """The listing of a place by the settings of a build. Raises what `find` raises."""
    return list_layout(
        place,
        settings.layout,
        clips_csv=settings.clips_csv,
        links=settings.links,
        unpack_dir=unpack_dir,
    )


def refuse_other(
    noted: dict[str, str], place: pathlib.Path, settings: Settings, unpack_dir: pathlib.Path
) -> None:
    """Raises BuildError where a place holds other than a build was made from, ClipError where nothing is."""
    packed = find_archive(place, settings.layout, settings.clips_csv)
    if packed and _archive_sum(packed) == noted["archive"]:
        return
    found = listed(place, settings, unpack_dir)
    if _listing_sum(found) != noted["listing"]:
        raise BuildError(
            f"{place} holds other videos ({len(found.clips)} of them) than those the build was made from; "
            "choose another data_dir or add --overwrite"
        )


def _listing_sum(listing: Listing) -> str:
    rows = [
        [c.video, c.label, c.source, c.generator, *(_size(path) for path in c.files)] for c in listing.clips
    ]
    return hashlib.sha256(json.dumps(sorted(rows, key=lambda row: row[0])).encode()).hexdigest()


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _archive_sum(packed: pathlib.Path) -> str:
    size = packed.stat().st_size
    with open(packed, "rb") as file:
        start = file.read(_ENDS)
        file.seek(max(size - _ENDS, 0))
        return hashlib.sha256(b"%d " % size + start + file.read(_ENDS)).hexdigest()
