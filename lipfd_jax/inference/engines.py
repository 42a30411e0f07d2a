"""Opens exports in an engine that runs their format: ONNX Runtime, OpenVINO or JAX."""

import dataclasses
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lipfd_jax.checkpoints.calibration import Calibration
from lipfd_jax.checkpoints.errors import refusal
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.exporting import package
from lipfd_jax.exporting.package import FORMATS

PRECISIONS = ("float32", "bfloat16")
Run = Callable[..., tuple[np.ndarray, np.ndarray]]  # a batch to probabilities and region weights, float32
ENGINES = tuple(dict.fromkeys(engine for _, engines in FORMATS.values() for engine in engines))


@dataclasses.dataclass(frozen=True)
class LoadedExport:
    """An export loaded into an engine, with its metadata."""

    run: Run
    engine: str
    source: str  # input of `run`: "composites", or "prepared" resized composites and crops
    metadata: Metadata
    path: Path
    fingerprint: str  # identifies the exported weights, with their precision: 'abc in int8'
    precision: str = "float32"  # number format of matrix products: one of PRECISIONS, or "int8"

    @property
    def calibration(self) -> Calibration | None:
        """Calibration of the scores, if one was fitted."""
        return self.metadata.calibration


def open_export(path: str | os.PathLike, engine: str = "auto", precision: str | None = None) -> LoadedExport:
    """Opens an export.

    Args:
      path: its folder.
      engine: one of ENGINES that runs its format; "auto" for the first of them that is installed.
      precision: one of PRECISIONS; None and "auto" are float32. Bfloat16 is OpenVINO's alone; what int8
        leaves of the network is computed in it.

    Raises:
      CheckpointError: it is damaged or can't be run by the engine, or that is not installed.
      ValueError: the engine computes in float32 alone, or there is no such precision.
    """
    folder = Path(path).expanduser().absolute()
    about = package.read_description(folder)
    engine = _choose_engine(folder, about.format, engine)
    precision = "float32" if precision in (None, "auto") else precision
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is unknown; use one of {', '.join(PRECISIONS)}")
    if engine != "openvino" and precision != "float32":
        raise ValueError(f"{folder}: in {engine} exports are computed in float32; {precision} needs openvino")
    program = folder / FORMATS[about.format][0]
    run = compile_openvino(program, precision) if engine == "openvino" else _OPENERS[engine](folder)
    precision = "int8" if about.format == "int8" else precision
    fingerprint = about.fingerprint + ("" if precision == "float32" else f" in {precision}")
    return LoadedExport(run, engine, about.source, about.metadata, folder, fingerprint, precision)


def _choose_engine(folder: Path, format: str, engine: str) -> str:
    _, possible = FORMATS[format]
    if engine != "auto" and engine not in possible:
        raise refusal(folder, f"it is {format}, which {engine} does not run; use {' or '.join(possible)}")
    wanted = possible if engine == "auto" else (engine,)
    for name in wanted:
        if importlib.util.find_spec(name):
            return name
    raise refusal(folder, f"{' or '.join(wanted)} is not installed: pip install 'lipfd-jax[export]'")


def _run_onnxruntime(folder: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        folder / FORMATS["onnx"][0], providers=onnxruntime.get_available_providers()
    )
    names = [given.name for given in session.get_inputs()]
    return lambda *batch: tuple(session.run(None, dict(zip(names, batch, strict=True))))


def compile_openvino(program: Path, precision: str) -> Run:
    """Compiles a program in OpenVINO, with matrix products in one of PRECISIONS."""
    # OpenVINO reports every import to its makers, from a forked process, unless telemetry can't be imported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # blocks its import
    import openvino

    # Its default on many CPUs is bfloat16, which changes scores.
    hint = {"INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision]}
    compiled = openvino.Core().compile_model(program, "CPU", hint)

    def run(*batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        results = compiled(list(batch))
        scores, weights = (np.array(results[output]) for output in compiled.outputs)
        return scores, weights

    return run


def _run_jax(folder: Path) -> Run:
    from lipfd_jax.exporting.stablehlo import open_program

    return open_program(folder)


_OPENERS: dict[str, Callable[[Path], Run]] = {
    "onnxruntime": _run_onnxruntime,
    "jax": _run_jax,
}
