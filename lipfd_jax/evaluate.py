"""Evaluates a checkpoint: lipfd evaluate --checkpoint=DIR --data=DIR --output=DIR."""

import sys

from absl import app, flags
from absl import logging as absl_logging

from lipfd_jax.data.sources import open_source
from lipfd_jax.evaluation.run import evaluate
from lipfd_jax.kernels.choice import SETTINGS


def main(argv: list[str]) -> None:
    """Parses the flags and evaluates."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    given = flags.FLAGS
    absl_logging.set_verbosity(absl_logging.WARNING)  # the libraries' own chatter
    try:
        source = open_source(given.data, split=given.split, builder_config=given.builder_config)
        evaluate(
            given.checkpoint,
            source,
            given.output,
            step=given.step,
            batch_size=given.batch_size,
            threads=given.threads,
            against=given.compare,
            threshold=given.threshold,
            kernels=given.kernels,
        )
    except (ValueError, OSError) as error:  # ours name the file and what to do
        sys.exit(f"error: {error}")


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_string(
        "checkpoint",
        None,
        "A training run's workdir (its best step), one of its steps, or a converted checkpoint.",
    )
    flags.DEFINE_integer("step", None, "Which step of a run; by default the best by validation AUC.")
    flags.DEFINE_string(
        "data", None, "TFDS data_dir, or a folder of composites (0_real/NAME_J.png, 1_fake/NAME_J.png)."
    )
    flags.DEFINE_string("builder_config", None, "Which built config, where data_dir holds several.")
    flags.DEFINE_string("split", "test", "Split of a TFDS build; slices like test[:100] work.")
    flags.DEFINE_string(
        "output",
        "evaluation",
        "Folder for scores.csv, metrics.json and report.html. An interrupted evaluation goes on.",
    )
    flags.DEFINE_string("compare", None, "Somebody else's scores file: differences and metrics side by side.")
    flags.DEFINE_float(
        "threshold",
        None,
        "A score of at least this is called fake; by default what the checkpoint's calibration says, or 0.5.",
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_integer("batch_size", 8, "Windows at once, over all devices.")
    flags.DEFINE_integer("threads", 2, "Reading threads.")
    flags.DEFINE_enum(
        "kernels", "auto", SETTINGS, "How operations are computed; by default as suits the devices."
    )
    flags.mark_flags_as_required(["checkpoint", "data"])


if __name__ == "__main__":
    define_flags()
    app.run(main)
