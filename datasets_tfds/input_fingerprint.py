"""Input fingerprint of a build: distinguishes changed input data from the same data in another place."""

import hashlib
import pathlib

from datasets_tfds.build_settings import BuildError, BuildSettings
from lipfd_jax.listing.clips import Listing
from lipfd_jax.listing.layouts import find_archive, list_layout
from lipfd_jax.storage.checksums import hash_json

_ENDS = 1 << 20  # bytes at each end of an archive that its digest covers, together with its size


def fingerprint_input(place: pathlib.Path, listing: Listing, settings: BuildSettings) -> dict[str, str]:
    """Returns SHA-256 digests of the listing (names and sizes) and of the archive, "" without one."""
    packed = find_archive(place, settings.layout, settings.clips_csv)
    return {"listing": _hash_listing(listing), "archive": _hash_archive(packed) if packed else ""}


def list_input(place: pathlib.Path, settings: BuildSettings, unpack_dir: pathlib.Path) -> Listing:
    """Lists the input data by the settings of a build. Raises what `list_layout` raises."""
    return list_layout(
        place,
        settings.layout,
        clips_csv=settings.clips_csv,
        links=settings.links,
        unpack_dir=unpack_dir,
    )


def check_input(
    fingerprint: dict[str, str], place: pathlib.Path, settings: BuildSettings, unpack_dir: pathlib.Path
) -> None:
    """Compares input data with the fingerprint of a build; an archive with the same digest is not unpacked.

    Raises:
      BuildError: the data differ.
      ClipError: there are none.
    """
    packed = find_archive(place, settings.layout, settings.clips_csv)
    if packed and _hash_archive(packed) == fingerprint["archive"]:
        return
    listing = list_input(place, settings, unpack_dir)
    if _hash_listing(listing) != fingerprint["listing"]:
        raise BuildError(
            f"{place} holds other videos ({len(listing.clips)} of them) than those the build was made from; "
            "choose another data_dir or add --overwrite"
        )


def _hash_listing(listing: Listing) -> str:
    rows = [
        [c.video, c.label, c.source, c.generator, *(_file_size(path) for path in c.files)]
        for c in listing.clips
    ]
    return hash_json(sorted(rows, key=lambda row: row[0]))


def _file_size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _hash_archive(packed: pathlib.Path) -> str:
    size = packed.stat().st_size
    with open(packed, "rb") as file:
        start = file.read(_ENDS)
        file.seek(max(size - _ENDS, 0))
        return hashlib.sha256(b"%d " % size + start + file.read(_ENDS)).hexdigest()
