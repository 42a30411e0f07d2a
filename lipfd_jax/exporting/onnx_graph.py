"""Builds an ONNX graph from a traced JAX function, node by node; what depends on weights alone is
evaluated.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import jax
import numpy as np
import onnx
from jax.extend.core import Literal
from onnx import helper, numpy_helper

_SMALL = 1024  # bytes; smaller constants stay in the graph, where engines read shapes
_ALIGNED = 4096  # so that engines can map them into memory
OPSET = 18  # has all operators used; supported by ONNX Runtime and OpenVINO since 2023


class Graph:
    """Nodes and constants of a graph. Values are names of tensors, or NumPy arrays that are already known."""

    def __init__(self, batch_of: str, symbol: Any, weights: BinaryIO):
        """`batch_of` names the input whose first dimension is the batch, `symbol` in JAX.

        Larger constants are appended to the file `weights`: in the graph they would be copied several times,
        and it must not exceed 2 GB.
        """
        self.nodes: list[onnx.NodeProto] = []
        self.scope = ""  # scope of the nodes added next: a part of the network
        self.constants: dict[str, onnx.TensorProto] = {}
        self._by_identity: dict[int, tuple[np.ndarray, str]] = {}
        self._weights = weights
        self._count, self._batch_of, self._symbol, self._batch = 0, batch_of, symbol, ""

    def add(self, operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; returns the name of its output, or a list of names if it has several."""
        results = [self._name() for _ in range(outputs)]
        names = [self.name(value) for value in inputs]
        self.nodes.append(
            helper.make_node(operator, names, results, f"{self.scope}/{results[0]}", **attributes)
        )
        return results[0] if outputs == 1 else results

    def name(self, value: Any) -> str:
        """Returns the name of a value; an array becomes one constant of the graph, used any number of
        times.
        """
        if isinstance(value, str):
            return value
        if id(value) not in self._by_identity:
            name = self._name()
            self.constants[name] = self._store(np.ascontiguousarray(value), name)
            self._by_identity[id(value)] = value, name
        return self._by_identity[id(value)][1]

    def reshape(self, value: Any, shape: Sequence[Any]) -> str:
        """Reshapes `value`; one dimension may depend on the batch."""
        return self.add("Reshape", value, np.array([n if is_fixed(n) else -1 for n in shape], np.int64))

    def transpose(self, value: Any, axes: Sequence[int]) -> Any:
        """Transposes `value` to this order of axes."""
        axes = [int(axis) for axis in axes]
        if axes == sorted(axes):
            return value
        return (
            value.transpose(axes)
            if isinstance(value, np.ndarray)
            else self.add("Transpose", value, perm=axes)
        )

    def shape(self, dimensions: Sequence[Any]) -> Any:
        """Returns the dimensions as a tensor; those that depend on the batch are multiples of its size."""
        if all(map(is_fixed, dimensions)):
            return np.array(dimensions, np.int64)
        if not self._batch:
            sizes = self.add("Shape", self._batch_of)
            self._batch = self.add("Gather", sizes, np.array([0], np.int64))
        parts = [
            np.array([n], np.int64)
            if is_fixed(n)
            else self.add("Mul", self._batch, np.array([self.size_for_one(n)], np.int64))
            for n in dimensions
        ]
        return self.add("Concat", *parts, axis=0)

    def size_for_one(self, dimension: Any) -> int:
        """Returns the size of a dimension for a batch of one, of which other sizes are multiples."""
        return int(dimension if is_fixed(dimension) else dimension // self._symbol)

    def _store(self, array: np.ndarray, name: str) -> onnx.TensorProto:
        if array.nbytes < _SMALL:
            return numpy_helper.from_array(array, name)
        start = -(-self._weights.tell() // _ALIGNED) * _ALIGNED
        self._weights.seek(start)
        self._weights.write(array.reshape(-1).view(np.uint8).data)
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor = onnx.TensorProto(name=name, data_type=kind, dims=array.shape)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        place = {"location": os.path.basename(self._weights.name), "offset": start, "length": array.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        return tensor

    def _name(self) -> str:
        self._count += 1
        return f"t{self._count}"


Operation = Callable[..., Any]  # (graph, equation, *values) to the values of the equation's outputs


def is_fixed(dimension: Any) -> bool:
    """Whether a dimension is a number, not an expression of the batch."""
    return isinstance(dimension, (int, np.integer))


def trace_jaxpr(
    graph: Graph,
    jaxpr: Any,
    constants: Sequence[Any],
    values: Sequence[Any],
    operations: dict[str, Operation],
    scope: str = "",
) -> list[Any]:
    """Adds the operations of a jaxpr on `values`; returns the values of its outputs.

    Nodes are named after their `jax.named_scope`, with `scope` first.

    Raises:
      NotImplementedError: an operation is not in the table; names it.
    """
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *values], strict=True))

    def read(variable: Any) -> Any:
        return np.asarray(variable.val) if isinstance(variable, Literal) else known[variable]

    for equation in jaxpr.eqns:
        inputs = [read(variable) for variable in equation.invars]
        inner = _inner_jaxpr(equation)
        graph.scope = "/".join(filter(None, [scope, str(equation.source_info.name_stack)]))
        if inner is not None:
            results = trace_jaxpr(graph, inner.jaxpr, inner.consts, inputs, operations, graph.scope)
        elif _is_known(equation, inputs):
            results = _evaluate_equation(equation, inputs)
        elif equation.primitive.name in operations:
            results = operations[equation.primitive.name](graph, equation, *inputs)
            results = results if isinstance(results, list) else [results]
        else:
            raise NotImplementedError(f"the operation {equation.primitive.name} has no ONNX form here")
        known.update(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _inner_jaxpr(equation: Any) -> Any:
    """Returns the jaxpr of an equation that only calls one."""
    return equation.params.get("jaxpr") or equation.params.get("call_jaxpr")


def _is_known(equation: Any, inputs: Sequence[Any]) -> bool:
    shapes = [dimension for out in equation.outvars for dimension in out.aval.shape]
    return not any(isinstance(value, str) for value in inputs) and all(map(is_fixed, shapes))


def _evaluate_equation(equation: Any, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    results = equation.primitive.bind(*map(jax.numpy.asarray, inputs), **equation.params)
    results = results if equation.primitive.multiple_results else [results]
    return [np.asarray(result) for result in results]


def make_onnx_model(
    graph: Graph, inputs: dict[str, tuple], outputs: dict[str, tuple[Any, tuple]]
) -> onnx.ModelProto:
    """Returns the model of a graph.

    Args:
      inputs: name to (NumPy dtype, shape); a dimension that is not a number is the batch.
      outputs: name to (value, shape), float32.
    """
    for name, (value, _) in outputs.items():
        graph.nodes.append(helper.make_node("Identity", [graph.name(value)], [name]))

    def make_info(name: str, dtype: Any, shape: tuple) -> onnx.ValueInfoProto:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, kind, [n if is_fixed(n) else "batch" for n in shape])

    body = helper.make_graph(
        graph.nodes,
        "LipFD",
        [make_info(name, *spec) for name, spec in inputs.items()],
        [make_info(name, np.float32, shape) for name, (_, shape) in outputs.items()],
        list(graph.constants.values()),
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
