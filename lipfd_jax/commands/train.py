"""Trains a detector: lipfd train --config=lipfd --workdir=DIR."""

import dataclasses
import logging
import os
import signal
import sys
from pathlib import Path

import jax
from absl import app, flags
from absl import logging as absl_logging

from lipfd_jax.checkpoints.pretrained import settings_for
from lipfd_jax.commands import experiment_flag, shared_flags
from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.inference import precision
from lipfd_jax.runtime import compilation
from lipfd_jax.runtime.distributed import is_first_process, join_processes
from lipfd_jax.runtime.memory import exit_when_exhausted, keep_freed_memory
from lipfd_jax.storage.errors import describe_error
from lipfd_jax.storage.output_folder import check_writable
from lipfd_jax.storage.unavailable import is_remote
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.loop import Diverged, train

logger = logging.getLogger("lipfd_jax")

PREEMPTED = 75  # exit code: stopped by SIGTERM or Ctrl-C with a checkpoint; the same command resumes
DIVERGED = 76  # exit code: the loss became NaN or infinite
CORRUPT = 77  # exit code: a corrupt record, with a checkpoint; repair the data or skip it, then resume


def main(argv: list[str]) -> None:
    """Trains by the flags; exits with one of the codes above, or 1 after an error of one line."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    given = flags.FLAGS
    absl_logging.set_verbosity(absl_logging.WARNING)  # silences the libraries
    logger.setLevel(logging.INFO)
    if given.distributed:
        join_processes()
    compilation.use_compilation_cache(given.compilation_cache)
    if jax.devices()[0].platform == "cpu":
        keep_freed_memory()
    try:
        experiment = Experiment.from_dict(given.config.to_dict() | settings_for(given["from"].value or []))
        experiment = dataclasses.replace(experiment, teacher=given.teacher or experiment.teacher)
        experiment = set_precision(experiment, given.precision)
        if not is_remote(given.workdir) and is_first_process():
            check_writable(Path(given.workdir))  # before the data are opened
        with exit_when_exhausted("try a smaller batch_size or a larger accumulate; the same command resumes"):
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
        setting = "corrupt_share=0.1 (or another share to tolerate)" if skipping else "corrupt_records=skip"
        logger.error("%s. To continue without it: --config.data.%s", error, setting)
        sys.exit(CORRUPT)
    except (ValueError, OSError) as error:  # their messages name the file or setting and the remedy
        sys.exit(f"error: {describe_error(error)}")
    if not result.finished:
        logger.info("stopped at step %d; run the same command again to resume", result.step)
        sys.exit(PREEMPTED)


def set_precision(experiment: Experiment, setting: str | None) -> Experiment:
    """Returns the experiment with its model in the precision that --precision selects on these devices."""
    dtype = precision.resolve_precision(setting, jax.devices(), exact=False)
    model = dataclasses.replace(experiment.model, dtype=dtype or experiment.model.dtype)
    return dataclasses.replace(experiment, model=model)


class Preemption:
    """Whether SIGTERM or Ctrl-C has arrived; several processes agree on the same step."""

    def __init__(self):
        self.asked = False
        if jax.process_count() == 1:  # otherwise JAX's service handles it and agrees on a step
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
        # Written directly: the signal may interrupt a log line.
        os.write(2, b"\nstopping after this step, with a checkpoint; Ctrl-C again to stop at once\n")
        os.kill(os.getpid(), signal.SIGTERM)


def define_flags() -> None:
    """Defines the flags of this command."""
    experiment_flag.define_config()
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder for checkpoints and logs, local or gs://... A run resumes from the checkpoints in it.",
    )
    flags.DEFINE_list(
        "from",
        [],
        "Starting weights, comma-separated, in any order: CLIP image-encoder weights (model.safetensors), "
        "published ones of the backbone (.pth, or efficientnet_lite0 for those of lipfd-jax[pretrained]), or "
        "a checkpoint folder. Short for --config.start_encoder, --config.start_backbone and --config.start.",
    )
    flags.DEFINE_string(
        "teacher",
        "",
        "Checkpoint (a folder, as --from takes it) whose logits the model learns beside the labels, so "
        "that a small one learns from a large one. Short for --config.teacher; see loss.teacher_weight.",
    )
    flags.DEFINE_integer("profile", 0, "Number of steps to trace into WORKDIR/profile (TensorBoard, xprof).")
    shared_flags.define_distributed()
    shared_flags.define_compilation_cache()
    shared_flags.define_training_precision()
    shared_flags.define_kernels()
    flags.mark_flags_as_required(["config", "workdir"])
