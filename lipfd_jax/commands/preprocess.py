"""Writes the composites of a data set as PNGs: lipfd preprocess --avlips=DIR --output=DIR."""

import os
import sys
from pathlib import Path

from absl import app, flags

from lipfd_jax.commands import deprecated_flags, preprocessing_flags, track_flags
from lipfd_jax.faces.framing_check import check_framing
from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.listing.clips import Clip, ClipError, Listing
from lipfd_jax.listing.clips_csv import list_csv_clips
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.preprocessing.composite_pngs import write_composites
from lipfd_jax.storage.errors import MachineError, describe_error
from lipfd_jax.storage.locks import InUseError
from lipfd_jax.storage.output_folder import check_unused
from lipfd_jax.vocabulary import WINDOW_CONVENTIONS


def main(argv: list[str]) -> None:
    """Writes the composites and prints a summary; exits with code 1 where a composite is missing."""
    given = flags.FLAGS
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    if bool(given.avlips) == bool(given.csv):
        raise app.UsageError("give either --avlips=DIR or --csv=FILE")
    try:
        list_clips = list_avlips if given.avlips else list_csv_clips
        listing = list_clips(given.avlips or given.csv, given.links or "refuse")
        check_unused(Path(given.output), "preprocessing")
        _print_notes(listing)
        summary = write_composites(
            listing,
            Path(given.output),
            convention=given.convention,
            damaged=given.damaged or "refuse",
            tracks=track_flags.read_tracks(),
            workers=(os.cpu_count() or 1) if given.workers is None else given.workers,
            progress=True,
        )
    except (ClipError, InUseError, ValueError) as error:
        sys.exit(f"error: {describe_error(error)}")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to resume, finished clips are kept")
    except (MachineError, MemoryError, OSError) as error:
        reason = describe_error(error) if str(error) else "out of memory"
        sys.exit(f"error: {reason}; fix that and run the same command again to resume")
    print(summary)
    sys.exit(0 if summary.composites and not summary.missing else 1)


def _print_notes(listing: Listing) -> None:
    """Prints what was guessed or ignored in the listing, and whether the clips are cropped to faces."""
    clips = [clip for clip in listing.clips if isinstance(clip, Clip)]
    remedy = "crop them yourself, or build records with: lipfd build --crop=faces"
    for note in (*listing.all_notes(), *check_framing(clips, remedy)):
        print(f"note: {escape_controls(note)}", flush=True)


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string(
        "avlips", None, "Folder in the AVLips layout: 0_real, 1_fake, wav/0_real, wav/1_fake."
    )
    flags.DEFINE_string("csv", None, "Instead: CSV of videos with the columns path,label,group,generator.")
    flags.DEFINE_string("output", None, "Folder for {0_real,1_fake}/NAME_J.png.", required=True)
    flags.DEFINE_enum(
        "convention",
        "paper",
        WINDOW_CONVENTIONS,
        "Window convention. paper: over the whole clip, with aligned sound; released: as the released code.",
    )
    deprecated_flags.define_old_flag("windows", "convention")
    preprocessing_flags.define_flags()
