"""Exports a checkpoint to a folder, atomically."""

import functools
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

from lipfd_jax.checkpoints.errors import refusal
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.data.data_fingerprint import compute_data_fingerprint
from lipfd_jax.data.sources import RecordReader
from lipfd_jax.exporting import package
from lipfd_jax.exporting.package import ExportDescription
from lipfd_jax.exporting.program import Program, ProgramInput, make_program
from lipfd_jax.storage.atomic_folder import publish_folder, recover_folder

# Format: the library that writes it, and the extra that installs it.
_NEEDED = {"onnx": ("onnx", "export"), "stablehlo": ("flatbuffers", "export"), "int8": ("nncf", "int8")}


def export_checkpoint(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    *,
    format: str,
    source: ProgramInput = "composites",
    step: int | None = None,
    calibrate: RecordReader | None = None,
    overwrite: bool = False,
) -> ExportDescription:
    """Writes a checkpoint's evaluation pass as a program for other engines, for any batch size.

    Numbers are float32 except in the format "int8"; see exporting.int8.

    Args:
      checkpoint: as accepted by `checkpoints.store.open_model`.
      out: folder to create.
      format: a name in package.FORMATS.
      source: whether it takes composites (uint8) or the output of `models.inputs.prepare_inputs` (float32).
      calibrate: records on which int8 is calibrated, not to be used for tests; for int8 only.
      overwrite: replace an existing export.

    Raises:
      CheckpointError: the checkpoint can't be opened, `out` exists already, or the format needs a library
        that is not installed.
      ValueError: int8 without records, records without int8, or int8 of prepared inputs.
      OSError: the disk is full, or the folder is not writable; no partial output remains.
    """
    out = Path(out).expanduser()
    if (format == "int8") != (calibrate is not None) or (calibrate is not None and source != "composites"):
        raise ValueError("int8 takes composites and is calibrated on data; other formats are not")
    recover_folder(out)
    library, extra = _NEEDED[format]
    if not importlib.util.find_spec(library):
        raise refusal(out, f"{format} needs {library}: pip install 'lipfd-jax[{extra}]'")
    if os.path.lexists(out) and not (overwrite and package.is_export(out)):
        remedy = "it is not an export, so it is not replaced" if overwrite else "replace it with --overwrite"
        raise refusal(out, f"it exists already; choose another name ({remedy})")
    opened = open_model(checkpoint, step=step)
    quantised_on = None if calibrate is None else str(compute_data_fingerprint(calibrate))
    description = package.make_description(format, source, opened.metadata, opened.fingerprint, quantised_on)
    program = make_program(opened.model, source)
    with publish_folder(out, "an export") as folder:
        folder.mkdir()
        _find_writer(format, calibrate)(folder, program, json.dumps(package.to_json(description)))
        package.write_description(folder, description)
    return description


def _find_writer(format: str, calibrate: RecordReader | None) -> Callable[[Path, Program, str], None]:
    if format == "int8":
        from lipfd_jax.exporting.int8 import write_int8

        return functools.partial(write_int8, source=cast(RecordReader, calibrate))
    if format == "onnx":
        from lipfd_jax.exporting.onnx_file import write_onnx  # imports onnx, an extra

        return write_onnx
    from lipfd_jax.exporting.stablehlo import write_stablehlo

    return write_stablehlo
