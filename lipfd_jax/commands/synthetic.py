"""Draws a synthetic data set of talking heads and forgeries: lipfd synthetic --output=DIR --identities=80."""

import os
import sys
from pathlib import Path

from absl import app, flags
from tqdm import tqdm

from lipfd_jax.tools.synthetic.dataset import write_dataset


def main(argv: list[str]) -> None:
    """Writes the data set with a progress bar."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    given = flags.FLAGS
    output = Path(given.output)
    with tqdm(total=given.identities, desc="people", unit="person", file=sys.stderr) as bar:
        try:
            write_dataset(
                output,
                identities=given.identities,
                seed=given.seed,
                clips_per_identity=given.clips_per_identity,
                processes=given.processes,
                progress=bar.update,
            )
        except OSError as error:
            raise SystemExit(f"error: {error}") from error
    print(f"{given.identities * given.clips_per_identity} real clips and as many fakes in {output}")


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string(
        "output", None, "Folder to write 0_real, 1_fake, wav and clips.csv to.", required=True
    )
    flags.DEFINE_integer("identities", 80, "Number of drawn people.", lower_bound=1)
    flags.DEFINE_integer(
        "clips_per_identity",
        1,
        "Clips per person. With more than one, split by the groups in clips.csv: a split by file name would "
        "put the same face on both sides.",
        lower_bound=1,
    )
    flags.DEFINE_integer("seed", 0, "Seed; another one draws other people.", lower_bound=0)
    flags.DEFINE_integer("processes", os.cpu_count() or 1, "Worker processes.", lower_bound=1)
