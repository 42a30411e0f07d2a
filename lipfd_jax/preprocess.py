"""Writes the composites of a data set as PNGs: python -m lipfd_jax.preprocess --avlips DIR --output DIR."""

import os
import sys
from pathlib import Path

from absl import app, flags

from lipfd_jax.listing.clips import ClipError, avlips_clips, folder_clips
from lipfd_jax.preprocessing.pictures import write_pictures

_AVLIPS = flags.DEFINE_string(
    "avlips", None, "folder in the AVLips layout: 0_real, 1_fake, wav/0_real, wav/1_fake"
)
_CSV = flags.DEFINE_string(
    "csv", None, "instead: a CSV of videos with the columns path, label, group, generator"
)
_OUTPUT = flags.DEFINE_string("output", None, "folder for {0_real,1_fake}/NAME_J.png", required=True)
_WINDOWS = flags.DEFINE_enum(
    "windows",
    "paper",
    ["paper", "released"],
    "paper: whole clip, sound in step; released: as the released code",
)
_WORKERS = flags.DEFINE_integer("workers", os.cpu_count(), "processes; 0 works in this one", lower_bound=0)


def main(argv: list[str]) -> None:
    """Checks the flags, builds, prints a summary; exit code 1 where nothing could be built."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    if bool(_AVLIPS.value) == bool(_CSV.value):
        raise app.UsageError("give either --avlips=DIR or --csv=FILE")
    try:
        listing = avlips_clips(_AVLIPS.value) if _AVLIPS.value else folder_clips(_CSV.value)
        summary = write_pictures(
            listing, Path(_OUTPUT.value), windows=_WINDOWS.value, workers=_WORKERS.value, progress=True
        )
    except ClipError as error:
        raise app.UsageError(str(error)) from error
    print(summary)
    sys.exit(0 if summary.pictures and not summary.missing else 1)


if __name__ == "__main__":
    app.run(main)
