"""Builds TFDS records without TensorFlow: lipfd build --manual_dir=DIR --data_dir=DIR.

Flags that `tfds build` has too have the same meaning, and the records are the same. An interrupted build
resumes with the same command.
"""

import sys

from absl import app, flags, logging

from datasets_tfds.build import build, verify_build
from datasets_tfds.build_settings import BuildError
from lipfd_jax.commands import build_flags, shared_flags
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.storage.errors import MachineError, describe_error


def main(argv: list[str]) -> None:
    """Builds or verifies what the flags name; exits with one line for an error or an interrupt."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)  # TFDS warns about the folders it is going to fill
    try:
        _run_build(flags.FLAGS)
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to resume, finished videos are kept")
    except (MachineError, MemoryError, OSError) as error:
        reason = describe_error(error) if str(error) else "out of memory"
        sys.exit(f"error: {reason}; fix that and run the same command again to resume")
    except (BuildError, ClipError, ValueError) as error:
        sys.exit(f"error: {describe_error(error)}")


def _run_build(given: flags.FlagValues) -> None:
    settings = build_flags.read_settings()
    if given.verify:
        verify_build(given.data_dir, settings)
        return
    if not given.manual_dir:
        raise BuildError("--manual_dir is missing: name the folder or archive with the input data")
    build(
        manual_dir=given.manual_dir,
        data_dir=given.data_dir,
        settings=settings,
        file_format=given.file_format,
        overwrite=given.overwrite,
        workers=given.workers,
        beam_pipeline_options=given.beam_pipeline_options,
    )


def define_flags() -> None:
    """Defines the flags of this command."""
    build_flags.define_flags()
    flags.DEFINE_string("data_dir", None, "TFDS data_dir to write the records to.", required=True)
    flags.DEFINE_enum(
        "file_format",
        None,
        ["array_record", "tfrecord"],
        "File format of the shards; tfrecord needs TensorFlow. Default: array_record.",
    )
    flags.DEFINE_string(
        "beam_pipeline_options", None, "Build on Apache Beam with these options: runner=...,job_name=..."
    )
    shared_flags.define_overwrite("a finished build")
    flags.DEFINE_bool("verify", False, "Only verify the checksums of a finished build's shards.")
