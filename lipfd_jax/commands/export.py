"""Exports a checkpoint for other inference engines: lipfd export CHECKPOINT OUT --format=onnx."""

import sys

import jax
from absl import app, flags, logging

from lipfd_jax.commands import shared_flags
from lipfd_jax.data.sources import open_source
from lipfd_jax.exporting.package import FORMATS
from lipfd_jax.exporting.write import export_checkpoint
from lipfd_jax.runtime.memory import exit_when_exhausted
from lipfd_jax.storage.errors import describe_error


def main(argv: list[str]) -> None:
    """Exports the first argument, a checkpoint, into the second, a folder."""
    if len(argv) != 3:
        raise app.UsageError("expected two arguments: the checkpoint and the folder to write")
    logging.set_verbosity(logging.FATAL)  # the libraries log their errors, which are raised as well
    jax.config.update("jax_platforms", "cpu")  # computes nothing; the exported program is for all platforms
    given = flags.FLAGS
    try:
        with exit_when_exhausted("end other programs that use memory"):
            made = export_checkpoint(
                argv[1],
                argv[2],
                format=given.format,
                source=given.inputs,
                step=given.step,
                calibrate=open_source(given.calibrate, split=given.split) if given.calibrate else None,
                overwrite=given.overwrite,
            )
    except (ValueError, OSError, NotImplementedError) as error:  # their messages name the file and the remedy
        sys.exit(f"error: {describe_error(error)}")
    model = made.metadata.model
    print(f"{argv[2]}: {model.encoder} + {model.backbone} as {made.format}, {model.inputs.name} inputs")
    print(f"takes {made.source}; runs in {' or '.join(FORMATS[made.format][1])}; weights {made.fingerprint}")


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_enum(
        "format",
        "onnx",
        sorted(FORMATS),
        "onnx: for ONNX Runtime and OpenVINO; stablehlo: for JAX alone; int8: for OpenVINO, smaller and "
        "faster, quantized with --calibrate.",
    )
    flags.DEFINE_enum(
        "inputs",
        "composites",
        ("composites", "prepared"),
        "Inputs of the exported model: composites, or the image and crops that models.inputs prepares.",
    )
    flags.DEFINE_string(
        "calibrate",
        None,
        "Data for int8: a TFDS data_dir or a folder of composites that is not used for testing.",
    )
    flags.DEFINE_string("split", "validation", "Split of a TFDS build to calibrate on.")
    shared_flags.define_step()
    shared_flags.define_overwrite("an existing export")
