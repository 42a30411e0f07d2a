"""Evaluates a checkpoint: python evaluate.py --checkpoint=DIR --data=DIR --output=DIR."""

import sys

from absl import app, flags
from absl import logging as absl_logging

from lipfd_jax.data.sources import open_source
from lipfd_jax.evaluation.metrics import THRESHOLD
from lipfd_jax.evaluation.run import evaluate

_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "A training run's workdir (its best step), one of its steps, or a converted checkpoint.",
)
_STEP = flags.DEFINE_integer("step", None, "Which step of a run; by default the best by validation AUC.")
_DATA = flags.DEFINE_string(
    "data", None, "TFDS data_dir, or a folder of composites (0_real/NAME_J.png, 1_fake/NAME_J.png)."
)
_CONFIG = flags.DEFINE_string("builder_config", None, "Which built config, where data_dir holds several.")
_SPLIT = flags.DEFINE_string("split", "test", "Split of a TFDS build; slices like test[:100] work.")
_OUTPUT = flags.DEFINE_string(
    "output",
    "evaluation",
    "Folder for scores.csv, metrics.json and report.html. An interrupted evaluation goes on.",
)
_COMPARE = flags.DEFINE_string(
    "compare", None, "Somebody else's scores file: differences and metrics side by side."
)
_THRESHOLD = flags.DEFINE_float(
    "threshold", THRESHOLD, "A score of at least this is called fake.", lower_bound=0, upper_bound=1
)
_BATCH = flags.DEFINE_integer("batch_size", 8, "Windows at once, over all devices.")
_THREADS = flags.DEFINE_integer("threads", 2, "Reading threads.")
flags.mark_flags_as_required(["checkpoint", "data"])


def main(argv: list[str]) -> None:
    """Parses the flags and evaluates."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    absl_logging.set_verbosity(absl_logging.WARNING)  # the libraries' own chatter
    try:
        source = open_source(_DATA.value, split=_SPLIT.value, builder_config=_CONFIG.value)
        evaluate(
            _CHECKPOINT.value,
            source,
            _OUTPUT.value,
            step=_STEP.value,
            batch_size=_BATCH.value,
            threads=_THREADS.value,
            against=_COMPARE.value,
            threshold=_THRESHOLD.value,
        )
    except (ValueError, OSError) as error:  # ours name the file and what to do
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
