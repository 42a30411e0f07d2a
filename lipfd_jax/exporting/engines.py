"""Opens exports and runs them: in ONNX Runtime, OpenVINO or JAX, whichever an export is for."""

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

Run = Callable[..., tuple[np.ndarray, np.ndarray]]  # a batch to probabilities and region weights, float32
ENGINES = tuple(engine for _, engines in FORMATS.values() for engine in engines)


@dataclasses.dataclass(frozen=True)
class OpenedExport:
    """An export ready to run, and what it says about itself."""

    run: Run
    engine: str
    source: str  # what `run` takes: "composites", or "prepared" pictures and crops
    metadata: Metadata
    path: Path
    fingerprint: str  # of the weights it was made of

    @property
    def calibration(self) -> Calibration | None:
        """What the model's scores mean in probability, where that was fitted."""
        return self.metadata.calibration


def open_export(path: str | os.PathLike, engine: str = "auto") -> OpenedExport:
    """Opens an export.

    Args:
      path: its folder.
      engine: one of ENGINES that runs its format; "auto" for the first of them that is installed.

    Raises:
      CheckpointError: it is damaged or can't be run by the engine, or that is not installed.
    """
    folder = Path(path).expanduser().absolute()
    about = package.read(folder)
    engine = _chosen(folder, about.format, engine)
    run = _OPENERS[engine](folder)
    return OpenedExport(run, engine, about.source, about.metadata, folder, about.fingerprint)


def _chosen(folder: Path, format: str, engine: str) -> str:
    _, possible = FORMATS[format]
    if engine != "auto" and engine not in possible:
        raise refusal(folder, f"it is {format}, which {engine} does not run; use {' or '.join(possible)}")
    wanted = possible if engine == "auto" else (engine,)
    for name in wanted:
        if importlib.util.find_spec(name):
            return name
    raise refusal(folder, f"{' or '.join(wanted)} is not installed: pip install 'lipfd-jax[export]'")


def _onnxruntime(folder: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        folder / FORMATS["onnx"][0], providers=onnxruntime.get_available_providers()
    )
    names = [given.name for given in session.get_inputs()]
    return lambda *batch: tuple(session.run(None, dict(zip(names, batch, strict=True))))


def _openvino(folder: Path) -> Run:
    # It tells its makers of every import, from a forked process, unless its telemetry can't be imported.
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    # Its default on many CPUs is bfloat16, which changes scores.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(folder / FORMATS["onnx"][0], "CPU", exact)

    def run(*batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        results = compiled(list(batch))
        return tuple(np.array(results[output]) for output in compiled.outputs)

    return run


def _jax(folder: Path) -> Run:
    from lipfd_jax.exporting.stablehlo import open_program

    return open_program(folder)


_OPENERS: dict[str, Callable[[Path], Run]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "jax": _jax,
}
