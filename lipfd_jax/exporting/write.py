"""Writes a checkpoint as an export, which appears only when it is complete."""

import functools
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

from lipfd_jax.checkpoints.errors import refusal
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.data.data_fingerprint import identity
from lipfd_jax.data.sources import RecordSource
from lipfd_jax.exporting import package
from lipfd_jax.exporting.package import ExportDescription
from lipfd_jax.exporting.program import Program, ProgramInput, make_program
from lipfd_jax.storage.atomic_folder import published, recover

# Format: the library it is written with, and the extra that brings it.
_NEEDED = {"onnx": ("onnx", "export"), "stablehlo": ("flatbuffers", "export"), "int8": ("nncf", "int8")}


def export_checkpoint(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    *,
    format: str,
    source: ProgramInput = "composites",
    step: int | None = None,
    calibrate: RecordSource | None = None,
    overwrite: bool = False,
) -> ExportDescription:
    """Writes a checkpoint's evaluation pass as a program for other engines, for any batch size.

    It is of float32 numbers, but for the format "int8"; see exporting.int8.

    Args:
      checkpoint: as `checkpoints.store.open_model` takes it.
      out: folder to make.
      format: a name in package.FORMATS.
      source: whether it takes composites (uint8) or what `models.inputs.prepare` makes of them (float32).
      calibrate: records that int8 is fitted to, not to be tested; for int8 alone.
      overwrite: replace an export that is there.

    Raises:
      CheckpointError: the checkpoint can't be opened, `out` is in the way, or the format needs a library
        that is not installed.
      ValueError: int8 without records, records without int8, or int8 of prepared pictures.
      OSError: the disk is full, or the folder can't be written to; nothing is left behind.
    """
    out = Path(out).expanduser()
    if (format == "int8") != (calibrate is not None) or (calibrate is not None and source != "composites"):
        raise ValueError("int8 takes composites and is calibrated on data; other formats are not")
    recover(out)
    library, extra = _NEEDED[format]
    if not importlib.util.find_spec(library):
        raise refusal(out, f"{format} needs {library}: pip install 'lipfd-jax[{extra}]'")
    if os.path.lexists(out) and not (overwrite and package.is_export(out)):
        remedy = "it is no export, so it is not overwritten" if overwrite else "overwrite it with --overwrite"
        raise refusal(out, f"it exists already; choose another name ({remedy})")
    opened = open_model(checkpoint, step=step)
    quantised_on = None if calibrate is None else str(identity(calibrate))
    description = package.make_description(format, source, opened.metadata, opened.fingerprint, quantised_on)
    program = make_program(opened.model, source)
    with published(out, "an export") as folder:
        folder.mkdir()
        _find_writer(format, calibrate)(folder, program, json.dumps(package.to_json(description)))
        package.write_description(folder, description)
    return description


def _find_writer(format: str, calibrate: RecordSource | None) -> Callable[[Path, Program, str], None]:
    if format == "int8":
        from lipfd_jax.exporting.int8 import write_int8

        return functools.partial(write_int8, source=calibrate)
    if format == "onnx":
        from lipfd_jax.exporting.onnx_file import write_onnx  # imports onnx, which is an extra

        return write_onnx
    from lipfd_jax.exporting.stablehlo import write_stablehlo

    return write_stablehlo
