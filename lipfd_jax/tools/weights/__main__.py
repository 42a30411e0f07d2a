"""Makes the weights of lipfd:small again: python -m lipfd_jax.tools.weights MEDIA... --work=DIR.

MEDIA are folders of videos, each with a clips.csv (file, label, group; generator, source and set if known).
Records are built, clips are put into folds that keep people and origins apart, the experiment `small` is
trained on each and on all clips with each seed, the weights of the seeds are averaged and calibrated on the
clips they were not trained on. The same command goes on after an interruption.
"""

import dataclasses
import logging
import os
import sys
from pathlib import Path

from absl import app, flags

from lipfd_jax.experiments.small import SMALL
from lipfd_jax.storage.errors import describe_error
from lipfd_jax.tools.weights.make import make_weights
from lipfd_jax.tools.weights.plan import WeightsPlan

_WORK = flags.DEFINE_string("work", "weights-work", "Folder for records, runs and the finished checkpoint.")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds that are trained and averaged.")
_STEPS = flags.DEFINE_integer("steps", SMALL.steps, "Steps of each run; fewer only to try the command.")
_JOBS = flags.DEFINE_integer("jobs", os.cpu_count() or 1, "Runs at once, each on its share of the cores.")


def main(argv: list[str]) -> None:
    """Parses the flags and makes the weights."""
    if len(argv) < 2:
        raise app.UsageError("name a folder of videos with a clips.csv")
    logging.getLogger("lipfd_jax").setLevel(logging.INFO)
    plan = WeightsPlan(
        tuple(Path(name).resolve() for name in argv[1:]),
        Path(_WORK.value).resolve(),
        dataclasses.replace(SMALL, steps=_STEPS.value),
        tuple(map(int, _SEEDS.value)),
        jobs=_JOBS.value,
    )
    try:
        print(make_weights(plan))
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"error: {describe_error(error)}")


if __name__ == "__main__":
    app.run(main)
