"""StableHLO exports: a program that JAX runs on CPU, GPU and TPU without this project's model code."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import load_file, save_file

from lipfd_jax.checkpoints.errors import refusal
from lipfd_jax.exporting.program import Program

PROGRAM, WEIGHTS = "program.stablehlo", "weights.safetensors"
PLATFORMS = ("cpu", "cuda", "tpu")


def write_stablehlo(folder: Path, program: Program, description: str) -> None:
    """Writes the program, and the weights, which are its argument, to a second file.

    Inside the program they would be held several times in memory while it is read. `description` is stored in
    the file of weights.
    """
    weights = {name: jax.ShapeDtypeStruct(a.shape, a.dtype) for name, a in program.weights.items()}
    exported = jax.export.export(jax.jit(program.function), platforms=PLATFORMS)
    (folder / PROGRAM).write_bytes(exported(weights, *program.batch.values()).serialize())
    arrays = {name: np.ascontiguousarray(array) for name, array in program.weights.items()}
    save_file(arrays, folder / WEIGHTS, metadata={"lipfd": description})


def open_program(folder: Path) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Returns the function from a batch to probabilities and region weights.

    Raises:
      CheckpointError: JAX refuses the program, as it does after six months.
    """
    try:
        exported = jax.export.deserialize(bytearray((folder / PROGRAM).read_bytes()))
        weights = jax.device_put(load_file(folder / WEIGHTS))
        call = jax.jit(exported.call)
    except Exception as error:
        raise refusal(folder, f"JAX can't read its program ({error}); export the checkpoint again") from error
    return lambda *batch: tuple(jax.device_get(call(weights, *batch)))
