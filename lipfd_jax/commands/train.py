"""Trains a detector: lipfd train --config=lipfd --workdir=DIR."""

import dataclasses
import logging
import os
import signal
import sys

import jax
from absl import app, flags
from absl import logging as absl_logging

from lipfd_jax.checkpoints.pretrained import settings_for
from lipfd_jax.commands import experiment_flag as experiment_flag
from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.inference import precision
from lipfd_jax.kernels.dispatch import KERNEL_SETTINGS
from lipfd_jax.runtime import compilation
from lipfd_jax.runtime.distributed import join_processes
from lipfd_jax.runtime.memory import exit_when_exhausted, keep_freed_memory
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.loop import Diverged, train

logger = logging.getLogger("lipfd_jax")

PREEMPTED = 75  # exit code: stopped by SIGTERM or Ctrl-C, checkpoint written; the same command goes on
DIVERGED = 76  # exit code: the loss stopped being a number
CORRUPT = 77  # exit code: a record is corrupt, checkpoint written; mend the data or skip it, then go on


def main(argv: list[str]) -> None:
    """Parses the flags and trains."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    given = flags.FLAGS
    absl_logging.set_verbosity(absl_logging.WARNING)  # the libraries' own chatter
    logger.setLevel(logging.INFO)
    if given.distributed:
        join_processes()
    compilation.use_compilation_cache(given.compilation_cache)
    if jax.devices()[0].platform == "cpu":
        keep_freed_memory()
    try:
        experiment = Experiment.from_dict(given.config.to_dict() | settings_for(given["from"].value))
        experiment = in_precision(experiment, given.precision)
        with exit_when_exhausted("try a smaller batch_size or a larger accumulate; the same command goes on"):
            result = train(
                experiment,
                given.workdir,
                stop=Preemption(),
                profile_steps=given.profile,
                kernels=given.kernels,
            )
    except Diverged as error:
        logger.error("%s", error)
        sys.exit(DIVERGED)
    except CorruptRecord as error:
        skipping = experiment.data.corrupt_records == "skip"
        setting = "corrupt_share=0.1 (or what you can bear)" if skipping else "corrupt_records=skip"
        logger.error("%s. To go on all the same: --config.data.%s", error, setting)
        sys.exit(CORRUPT)
    except (ValueError, OSError) as error:  # ours name the file or setting and what to do
        sys.exit(f"error: {error}")
    if not result.finished:
        logger.info("stopped at step %d; the same command goes on", result.step)
        sys.exit(PREEMPTED)


def in_precision(experiment: Experiment, setting: str | None) -> Experiment:
    """The experiment with its model in the precision that a setting of inference.precision stands for."""
    dtype = precision.resolved(setting, jax.devices(), exact=False)
    model = dataclasses.replace(experiment.model, dtype=dtype or experiment.model.dtype)
    return dataclasses.replace(experiment, model=model)


class Preemption:
    """Says whether SIGTERM or Ctrl-C has come; with several processes the same on all at the same step."""

    def __init__(self):
        self.asked = False
        if jax.process_count() == 1:  # else JAX's own service listens for it and agrees on a step
            signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._interrupt)

    def __call__(self, step: int) -> bool:
        if jax.process_count() == 1:
            return self.asked
        from jax.experimental import multihost_utils

        return multihost_utils.reached_preemption_sync_point(step)

    def _ask(self, *_) -> None:
        self.asked = True

    def _interrupt(self, *_) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not by the log, which may be in the middle of a line.
        os.write(2, b"\nstopping after this step, with a checkpoint; Ctrl-C again to stop at once\n")
        os.kill(os.getpid(), signal.SIGTERM)


def define_flags() -> None:
    """Defines the flags of this command."""
    experiment_flag.define()
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder for checkpoints and logs; local or gs://... A run that stopped goes on from what it holds.",
    )
    flags.DEFINE_list(
        "from",
        [],
        "Starting points, separated by commas, in any order: CLIP image-encoder weights (model.safetensors), "
        "torchvision's of the backbone (.pth), or a checkpoint folder. Short for --config.start_encoder, "
        "--config.start_backbone and --config.start.",
    )
    flags.DEFINE_integer("profile", 0, "Trace so many steps into WORKDIR/profile (TensorBoard, xprof).")
    flags.DEFINE_bool(
        "distributed",
        os.environ.get("LIPFD_DISTRIBUTED", "0").lower() not in ("", "0", "false"),
        "One of several processes (TPU pod slice, SLURM, or JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and "
        "JAX_PROCESS_ID). Also by LIPFD_DISTRIBUTED=1.",
    )
    compilation.define_cache_flag()
    flags.DEFINE_enum(
        "precision",
        None,
        precision.SETTINGS,
        "Short for --config.model.dtype; auto is bfloat16 where the device is faster in it, also a CPU that "
        "is tried, and otherwise float32.",
    )
    flags.DEFINE_enum(
        "kernels", "auto", KERNEL_SETTINGS, "How operations are computed; by default as suits the devices."
    )
    flags.mark_flags_as_required(["config", "workdir"])


if __name__ == "__main__":
    define_flags()
    app.run(main)
