"""Writes the composites of a data set as PNGs: lipfd preprocess --avlips=DIR --output=DIR."""

import os
import sys
from pathlib import Path

from absl import app, flags

from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.clips_csv import list_csv_clips
from lipfd_jax.listing.folder import LINKS
from lipfd_jax.preprocessing.clip_task import MachineError
from lipfd_jax.preprocessing.composite_pngs import write_composites
from lipfd_jax.preprocessing.containers import DAMAGE_POLICIES
from lipfd_jax.storage.locks import InUse
from lipfd_jax.vocabulary import WINDOW_CONVENTIONS


def main(argv: list[str]) -> None:
    """Checks the flags, builds, prints a summary; exit code 1 where nothing could be built."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    given = flags.FLAGS
    if bool(given.avlips) == bool(given.csv):
        raise app.UsageError("give either --avlips=DIR or --csv=FILE")
    try:
        listed = list_avlips if given.avlips else list_csv_clips
        summary = write_composites(
            listed(given.avlips or given.csv, given.links),
            Path(given.output),
            windows=given.windows,
            damaged=given.damaged,
            workers=given.workers,
            progress=True,
        )
    except ClipError as error:
        raise app.UsageError(str(error)) from error
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here, finished clips are kept")
    except (InUse, MachineError, MemoryError, OSError) as error:
        reason = str(error) or "out of memory"
        sys.exit(f"error: {reason}; once that is mended, the same command goes on from here")
    print(summary)
    sys.exit(0 if summary.composites and not summary.missing else 1)


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string("avlips", None, "folder in the AVLips layout: 0_real, 1_fake, wav/0_real, wav/1_fake")
    flags.DEFINE_string(
        "csv", None, "instead: a CSV of videos with the columns path, label, group, generator"
    )
    flags.DEFINE_string("output", None, "folder for {0_real,1_fake}/NAME_J.png", required=True)
    flags.DEFINE_enum(
        "windows",
        "paper",
        WINDOW_CONVENTIONS,
        "paper: whole clip, sound in step; released: as the released code",
    )
    flags.DEFINE_enum("links", "refuse", LINKS, "whether links may lead out of a folder of your own")
    flags.DEFINE_enum("damaged", "refuse", DAMAGE_POLICIES, "clips of which a decoder reports damage")
    flags.DEFINE_integer(
        "workers", os.cpu_count(), "processes; 0 works in this one", lower_bound=0, upper_bound=1024
    )


if __name__ == "__main__":
    define_flags()
    app.run(main)
