"""Exports a checkpoint for other engines: lipfd export CHECKPOINT OUT --format=onnx."""

import sys

import jax
from absl import app, flags, logging

from lipfd_jax.data.sources import open_source
from lipfd_jax.exporting.package import FORMATS
from lipfd_jax.exporting.write import export_checkpoint
from lipfd_jax.runtime.memory import exit_when_exhausted


def main(argv: list[str]) -> None:
    """Exports the checkpoint named first into the folder named second."""
    if len(argv) != 3:
        raise app.UsageError("expected two arguments: the checkpoint and the folder to write")
    logging.set_verbosity(logging.FATAL)  # the libraries' own chatter; their errors are raised as well
    jax.config.update("jax_platforms", "cpu")  # nothing is computed; the program is for all platforms
    given = flags.FLAGS
    try:
        with exit_when_exhausted("end what else is running"):
            made = export_checkpoint(
                argv[1],
                argv[2],
                format=given.format,
                source=given.inputs,
                step=given.step,
                calibrate=open_source(given.calibrate, split=given.split) if given.calibrate else None,
                overwrite=given.overwrite,
            )
    except (ValueError, OSError, NotImplementedError) as error:  # ours name the file and what to do
        sys.exit(f"error: {error}")
    model = made.metadata.model
    print(f"{argv[2]}: {model.encoder} + {model.backbone} as {made.format}, {model.inputs.name} inputs")
    print(f"takes {made.source}; runs in {' or '.join(FORMATS[made.format][1])}; weights {made.fingerprint}")


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_enum(
        "format",
        "onnx",
        sorted(FORMATS),
        "onnx: for ONNX Runtime and OpenVINO; stablehlo: for JAX alone; "
        "int8: for OpenVINO, smaller and faster, calibrated on your own data.",
    )
    flags.DEFINE_enum(
        "inputs",
        "composites",
        ("composites", "prepared"),
        "What it takes: composites, or the picture and crops that models.inputs.prepare makes of them.",
    )
    flags.DEFINE_string(
        "calibrate", None, "For int8: TFDS data_dir or folder of composites, which are not to be tested."
    )
    flags.DEFINE_string("split", "validation", "Split of a TFDS build to calibrate on.")
    flags.DEFINE_integer("step", None, "Which step of a run; by default the best by validation AUC.")
    flags.DEFINE_bool("overwrite", False, "Replace an export that is already there.")


if __name__ == "__main__":
    define_flags()
    app.run(main)
