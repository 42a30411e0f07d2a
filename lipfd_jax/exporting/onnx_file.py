"""ONNX exports: one graph that ONNX Runtime, OpenVINO and other engines run without JAX."""

from pathlib import Path

import jax
import numpy as np
import onnx

from lipfd_jax.exporting.onnx_graph import Graph, make_onnx_model, trace_jaxpr
from lipfd_jax.exporting.onnx_operations import OPERATIONS
from lipfd_jax.exporting.program import OUTPUTS, Program

MODEL, WEIGHTS = "model.onnx", "weights.bin"


def write_onnx(folder: Path, program: Program, description: str) -> None:
    """Writes the graph, and its constants to a second file; `description` is stored in the graph's metadata.

    Raises:
      NotImplementedError: the network has an operation with no ONNX form here.
    """
    weights = {name: jax.ShapeDtypeStruct(a.shape, a.dtype) for name, a in program.weights.items()}
    batch = program.batch
    closed = jax.make_jaxpr(program.function)(weights, *batch.values())
    first = next(iter(batch))
    with open(folder / WEIGHTS, "wb") as file:
        graph = Graph(first, batch[first].shape[0], file)
        values = [np.asarray(array) for array in jax.tree.leaves(program.weights)]
        results = trace_jaxpr(graph, closed.jaxpr, closed.consts, [*values, *batch], OPERATIONS)
    shapes = [variable.aval.shape for variable in closed.jaxpr.outvars]
    model = make_onnx_model(
        graph,
        {name: (spec.dtype, spec.shape) for name, spec in batch.items()},
        dict(zip(OUTPUTS, zip(results, shapes, strict=True), strict=True)),
    )
    model.producer_name = "lipfd_jax"
    onnx.helper.set_model_props(model, {"lipfd": description})
    onnx.save(model, folder / MODEL)
    onnx.checker.check_model(folder / MODEL, full_check=True)
