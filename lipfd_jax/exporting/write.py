"""Writes a checkpoint as an export, which appears only when it is complete."""

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

from lipfd_jax.checkpoints.errors import refusal
from lipfd_jax.checkpoints.publishing import published, recover
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.exporting import package
from lipfd_jax.exporting.package import Description
from lipfd_jax.exporting.program import Program, Source, make_program

_NEEDED = {"onnx": "onnx", "stablehlo": "flatbuffers"}


def export(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    *,
    format: str,
    source: Source = "composites",
    step: int | None = None,
    overwrite: bool = False,
) -> Description:
    """Writes a checkpoint's evaluation pass as a program for other engines, in float32, for any batch size.

    Args:
      checkpoint: as `checkpoints.store.open_model` takes it.
      out: folder to make.
      format: a name in package.FORMATS.
      source: whether it takes composites (uint8) or what `models.inputs.prepare` makes of them (float32).
      overwrite: replace an export that is there.

    Raises:
      CheckpointError: the checkpoint can't be opened, `out` is in the way, or the format needs a library
        that is not installed.
      OSError: the disk is full, or the folder can't be written to; nothing is left behind.
    """
    out = Path(out).expanduser()
    recover(out)
    if not importlib.util.find_spec(_NEEDED[format]):
        raise refusal(out, f"{format} needs {_NEEDED[format]}: pip install 'lipfd-jax[export]'")
    if os.path.lexists(out) and not (overwrite and package.is_export(out)):
        remedy = "it is no export, so it is not overwritten" if overwrite else "overwrite it with --overwrite"
        raise refusal(out, f"it exists already; choose another name ({remedy})")
    opened = open_model(checkpoint, step=step)
    description = package.describe(format, source, opened.metadata, opened.fingerprint)
    program = make_program(opened.model, source)
    with published(out, "an export") as folder:
        folder.mkdir()
        _writer(format)(folder, program, json.dumps(package.to_json(description)))
        package.finish(folder, description)
    return description


def _writer(format: str) -> Callable[[Path, Program, str], None]:
    if format == "onnx":
        from lipfd_jax.exporting import onnx_file as module  # imports onnx, which is an extra
    else:
        from lipfd_jax.exporting import stablehlo as module
    return module.write
