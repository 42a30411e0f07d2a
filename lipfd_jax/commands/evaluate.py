"""Evaluates a checkpoint: lipfd evaluate --checkpoint=DIR --data=DIR --output=DIR."""

import functools
import logging
import sys
from pathlib import Path

from absl import app, flags
from absl import logging as absl_logging

from lipfd_jax.commands import metric_flags, shared_flags, suite_flags
from lipfd_jax.data.sources import open_source
from lipfd_jax.evaluation.calibration import CalibrationSettings, calibrate_checkpoint
from lipfd_jax.evaluation.evaluate import Options, evaluate, open_detector
from lipfd_jax.evaluation.grid import NamedPath, evaluate_grid, write_grid
from lipfd_jax.evaluation.metrics.pooling import MEAN_POOLING
from lipfd_jax.runtime import compilation
from lipfd_jax.runtime.distributed import join_processes
from lipfd_jax.runtime.memory import exit_when_exhausted
from lipfd_jax.storage.errors import describe_error
from lipfd_jax.storage.output_folder import check_writable
from lipfd_jax.storage.unavailable import is_remote


def main(argv: list[str]) -> None:
    """Parses the flags and evaluates."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    given = flags.FLAGS
    absl_logging.set_verbosity(absl_logging.WARNING)  # the libraries' own chatter
    logging.getLogger("lipfd_jax").setLevel(logging.INFO)
    compilation.use_compilation_cache(given.compilation_cache)
    if given.distributed:
        join_processes()
    try:
        options = Options(
            batch_size=given.batch_size,
            threads=given.threads,
            compare_scores=given.compare,
            threshold=given.threshold,
            pooling=metric_flags.read_pooling(given),
            calibrated=given.calibration != "none",
            skip_corrupt=given.corrupt == "skip",
            overwrite=given.overwrite,
            bootstrap=metric_flags.read_bootstrap_settings(given),
            examples=given.examples,
            kernels=given.kernels,
            precision=given.precision,
            engine=given.engine,
        )
        with exit_when_exhausted("try a smaller --batch_size"):
            _run_evaluation(given, options)
    except (ValueError, OSError) as error:  # ours name the file and what to do
        sys.exit(f"error: {describe_error(error)}")


def _run_evaluation(given: flags.FlagValues, options: Options) -> None:
    """One checkpoint on one data set, with --fit to calibrate it; or each on each."""
    if not is_remote(given.output):  # an address is refused later, with its reason
        check_writable(Path(given.output))  # before the checkpoint is opened
    checkpoints, data = [
        [NamedPath.parse(text) for text in texts] for texts in (given.checkpoint, given.data)
    ]
    open_data = functools.partial(open_source, split=given.split, builder_config=given.builder_config)
    if len(checkpoints) > 1 or len(data) > 1:
        if given.fit:
            raise ValueError("--fit takes one --checkpoint and one --data")
        if given.suite:
            raise ValueError("--suite takes one --checkpoint and one --data")
        found = evaluate_grid(
            checkpoints, data, given.output, open_data=open_data, step=given.step, options=options
        )
        if found:
            write_grid(found, Path(given.output))
    elif given.fit:
        fit = CalibrationSettings(given.fit_kind, options.pooling or MEAN_POOLING, given.target_fpr)
        source = open_data(data[0].path)
        calibrate_checkpoint(
            checkpoints[0].path, source, given.output, step=given.step, settings=fit, options=options
        )
    else:
        source, suites = open_data(data[0].path), []
        detector = open_detector(checkpoints[0].path, step=given.step, options=options)
        if given.suite:
            suites = suite_flags.run_suites(given, detector.local(), source, options)
        evaluate(detector, source, given.output, options=options, suites=suites)


def define_flags() -> None:
    """Defines the flags of this command."""
    _define_inputs()
    metric_flags.define_flags()
    suite_flags.define_flags()
    _define_calibration()
    _define_computation()
    flags.mark_flags_as_required(["checkpoint", "data"])


def _define_inputs() -> None:
    """Flags of the inputs and of the output."""
    flags.DEFINE_multi_string(
        "checkpoint",
        None,
        f"{shared_flags.CHECKPOINT} Several, as PATH or NAME=PATH, are each evaluated on each --data and "
        "compared in a table.",
    )
    shared_flags.define_step()
    flags.DEFINE_multi_string(
        "data",
        None,
        "TFDS data_dir, or a folder of composites (0_real/NAME_J.png, 1_fake/NAME_J.png). May be given "
        "several times, as PATH or NAME=PATH.",
    )
    flags.DEFINE_string("builder_config", None, "Builder config to read, where data_dir holds several.")
    flags.DEFINE_string("split", "test", "Split of a TFDS build; slices like test[:100] work.")
    flags.DEFINE_string(
        "output",
        "evaluation",
        "Folder for scores.csv, metrics.json and report.html. An interrupted evaluation resumes.",
    )
    flags.DEFINE_string(
        "compare",
        None,
        "Scores file of another detector to compare with: prints differences and both sets of metrics.",
    )
    shared_flags.define_overwrite("the scores in the output folder")
    flags.DEFINE_integer(
        "examples",
        2,
        "Example windows of each kind in the report: real and fake, classified rightly and wrongly.",
        lower_bound=0,
    )


def _define_calibration() -> None:
    """Flags of the calibration."""
    flags.DEFINE_enum(
        "calibration",
        "checkpoint",
        ["checkpoint", "none"],
        "checkpoint: apply the checkpoint's calibration, if it has one; none: leave scores uncalibrated.",
    )
    flags.DEFINE_bool(
        "fit",
        False,
        "Fit a calibration and a threshold on these data, which must not be test data (for example "
        "--split=validation), and store them in the checkpoint; later evaluations apply them.",
    )
    flags.DEFINE_enum(
        "fit_kind",
        "platt",
        ["platt", "temperature"],
        "platt: slope and intercept over the logits of the videos' scores; temperature: slope alone.",
    )
    flags.DEFINE_float(
        "target_fpr",
        None,
        "False positive rate to set the fitted threshold at. Default: the equal error rate.",
    )


def _define_computation() -> None:
    """Flags of the computation."""
    flags.DEFINE_enum(
        "corrupt",
        "stop",
        ["stop", "skip"],
        "At a record that can't be read: stop and name it (the same command resumes), or skip it and list it "
        "in skipped.csv; more than one and more than 1 % of all stop anyway.",
    )
    shared_flags.define_batch_size(8)
    flags.DEFINE_integer("threads", 2, "Threads that read records.", lower_bound=1)
    shared_flags.define_distributed()
    shared_flags.define_compilation_cache()
    shared_flags.define_engine()
    shared_flags.define_kernels()
    shared_flags.define_precision()
