"""ONNX forms of the plain network's operations: one function per operation, and their table."""

import math
from typing import Any

import jax
import numpy as np
from onnx import helper

from lipfd_jax.exporting.onnx_graph import Graph, Operation, is_fixed


def _elementwise(operator: str) -> Operation:
    """Operation with the same name and inputs; ONNX broadcasts dimensions of one as JAX does."""
    return lambda graph, equation, *values: graph.add(operator, *values)


def _reduction(operator: str) -> Operation:
    def operation(graph: Graph, equation: Any, value: Any) -> str:
        axes = np.array(equation.params["axes"], np.int64)
        return graph.add(operator, value, axes, keepdims=0)

    return operation


def _reshape(graph: Graph, equation: Any, value: Any) -> str:
    return graph.reshape(value, equation.outvars[0].aval.shape)


def _identity(graph: Graph, equation: Any, value: Any) -> Any:
    return value


def _cast(graph: Graph, equation: Any, value: Any) -> str:
    return graph.add(
        "Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(equation.params["new_dtype"]))
    )


def _rsqrt(graph: Graph, equation: Any, value: Any) -> str:
    return graph.add("Reciprocal", graph.add("Sqrt", value))


def _square(graph: Graph, equation: Any, value: Any) -> str:
    return graph.add("Mul", value, value)


def _power(graph: Graph, equation: Any, value: Any) -> str:
    return graph.add("Pow", value, np.float32(equation.params["y"]))


def _erfc(graph: Graph, equation: Any, value: Any) -> str:
    return graph.add("Sub", np.float32(1), graph.add("Erf", value))


def _transpose(graph: Graph, equation: Any, value: Any) -> Any:
    return graph.transpose(value, equation.params["permutation"])


def _broadcast(graph: Graph, equation: Any, value: Any) -> Any:
    """Reshapes to the target's axes, new ones of size one, then expands what must repeat."""
    target, places = equation.outvars[0].aval.shape, equation.params["broadcast_dimensions"]
    given = equation.invars[0].aval.shape
    shape: list[Any] = [1] * len(target)
    for place, size in zip(places, given, strict=True):
        shape[place] = size
    value = value.reshape(shape) if isinstance(value, np.ndarray) else graph.reshape(value, shape)
    return value if tuple(shape) == tuple(target) else graph.add("Expand", value, graph.shape(target))


def _concatenate(graph: Graph, equation: Any, *values: Any) -> str:
    return graph.add("Concat", *values, axis=equation.params["dimension"])


def _stack(graph: Graph, equation: Any, *values: Any) -> str:
    axis = equation.params["axis"]
    return graph.add("Concat", *(graph.add("Unsqueeze", v, np.array([axis])) for v in values), axis=axis)


def _split(graph: Graph, equation: Any, value: Any) -> list[str]:
    sizes = np.array(equation.params["sizes"], np.int64)
    result = graph.add("Split", value, sizes, axis=equation.params["axis"], outputs=len(sizes))
    return result if isinstance(result, list) else [result]


def _slice_axis(graph: Graph, value: Any, axis: int, start: int, stop: int, step: int) -> str:
    limits = (np.array([number], np.int64) for number in (start, stop, axis, step))
    return graph.add("Slice", value, *limits)


def _slice(graph: Graph, equation: Any, value: Any) -> Any:
    starts, stops = equation.params["start_indices"], equation.params["limit_indices"]
    strides = equation.params["strides"] or [1] * len(starts)
    for axis, (start, stop, step) in enumerate(zip(starts, stops, strides, strict=True)):
        size = equation.invars[0].aval.shape[axis]
        if (start, step) != (0, 1) or (is_fixed(size) and stop != size):
            value = _slice_axis(graph, value, axis, start, stop, step)
    return value


def _reverse(graph: Graph, equation: Any, value: Any) -> Any:
    for axis in equation.params["dimensions"]:
        value = _slice_axis(graph, value, axis, -1, -(2**62), -1)
    return value


def _gather(graph: Graph, equation: Any, value: Any, indices: np.ndarray) -> str:
    """Regular slices, to which indexing with numbers and steps reduces.

    The gather is evaluated for one sample on the positions of its values. The result gives the positions
    along each axis, which must form a grid.
    """
    shape = equation.invars[0].aval.shape
    rest = [graph.size_for_one(size) for size in shape[1:]]
    sizes = tuple(
        1 if axis == 0 else graph.size_for_one(size)
        for axis, size in enumerate(equation.params["slice_sizes"])
    )
    positions = np.arange(math.prod(rest), dtype=np.int32).reshape(1, *rest)
    params = {**equation.params, "slice_sizes": sizes}
    given = map(jax.numpy.asarray, (positions, indices))
    found = np.asarray(equation.primitive.bind(*given, **params))
    along = [np.unique(axis) for axis in np.unravel_index(found, rest)]
    grid = np.ravel_multi_index(np.ix_(*along), rest) if along else positions
    if not np.array_equal(grid.reshape(-1), found.reshape(-1)):
        raise NotImplementedError("a gather that is not a regular slice has no ONNX form here")
    for axis, picked in enumerate(along, start=1):
        step = int(picked[1] - picked[0]) if len(picked) > 1 else 1
        if not np.array_equal(picked, picked[0] + step * np.arange(len(picked))):
            raise NotImplementedError("a gather with uneven steps has no ONNX form here")
        if len(picked) != rest[axis - 1]:
            value = _slice_axis(graph, value, axis, int(picked[0]), int(picked[-1]) + 1, step)
    return graph.reshape(value, equation.outvars[0].aval.shape)


def _dot_general(graph: Graph, equation: Any, left: Any, right: Any) -> str:
    """MatMul of (batch axes, left's own, contracted) and (batch axes, contracted, right's own)."""
    (over_left, over_right), (shared_left, shared_right) = equation.params["dimension_numbers"]
    shape_left, shape_right = (variable.aval.shape for variable in equation.invars)
    own_left, own_right = (
        [axis for axis in range(len(shape)) if axis not in (*over, *shared)]
        for shape, over, shared in (
            (shape_left, over_left, shared_left),
            (shape_right, over_right, shared_right),
        )
    )
    left = graph.transpose(left, [*shared_left, *own_left, *over_left])
    right = graph.transpose(right, [*shared_right, *over_right, *own_right])
    inner = math.prod(shape_left[axis] for axis in over_left)
    shared = [shape_left[axis] for axis in shared_left]
    if len(over_left) > 1 or (shared and len(own_left) != 1):
        rows = [shape_left[axis] for axis in own_left]
        left = graph.reshape(left, [*shared, *([math.prod(rows)] if shared else rows), inner])
    if len(over_left) > 1 or len(own_right) != 1:
        right = graph.reshape(right, [*shared, inner, math.prod(shape_right[axis] for axis in own_right)])
    return graph.reshape(graph.add("MatMul", left, right), equation.outvars[0].aval.shape)


def _convolution(graph: Graph, equation: Any, value: Any, kernel: Any) -> str:
    params = equation.params
    numbers, pads = params["dimension_numbers"], params["padding"]
    if set(params["lhs_dilation"]) != {1} or params["batch_group_count"] != 1:
        raise NotImplementedError("a convolution with gaps in its input has no ONNX form here")
    result = graph.add(
        "Conv",
        graph.transpose(value, numbers.lhs_spec),
        graph.transpose(kernel, numbers.rhs_spec),
        strides=list(params["window_strides"]),
        pads=[pad[0] for pad in pads] + [pad[1] for pad in pads],
        dilations=list(params["rhs_dilation"]),
        group=params["feature_group_count"],
    )
    return graph.transpose(result, np.argsort(numbers.out_spec).tolist())


def _max_pool(graph: Graph, equation: Any, value: Any) -> str:
    params = equation.params
    window, strides, pads = params["window_dimensions"], params["window_strides"], params["padding"]
    if len(window) != 4 or window[0] != 1 or window[3] != 1 or {*params["base_dilation"]} != {1}:
        raise NotImplementedError("a pool over other axes than rows and columns has no ONNX form here")
    result = graph.add(
        "MaxPool",
        graph.transpose(value, (0, 3, 1, 2)),
        kernel_shape=list(window[1:3]),
        strides=list(strides[1:3]),
        pads=[pad[0] for pad in pads[1:3]] + [pad[1] for pad in pads[1:3]],
    )
    return graph.transpose(result, (0, 2, 3, 1))


OPERATIONS: dict[str, Operation] = {
    "add": _elementwise("Add"),
    "sub": _elementwise("Sub"),
    "mul": _elementwise("Mul"),
    "div": _elementwise("Div"),
    "max": _elementwise("Max"),
    "min": _elementwise("Min"),
    "neg": _elementwise("Neg"),
    "exp": _elementwise("Exp"),
    "tanh": _elementwise("Tanh"),
    "sqrt": _elementwise("Sqrt"),
    "erf": _elementwise("Erf"),
    "logistic": _elementwise("Sigmoid"),
    "erfc": _erfc,
    "rsqrt": _rsqrt,
    "square": _square,
    "integer_pow": _power,
    "reduce_sum": _reduction("ReduceSum"),
    "reduce_max": _reduction("ReduceMax"),
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "stop_gradient": _identity,
    "copy": _identity,
    "convert_element_type": _cast,
    "transpose": _transpose,
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "stack": _stack,
    "split": _split,
    "slice": _slice,
    "rev": _reverse,
    "gather": _gather,
    "dot_general": _dot_general,
    "conv_general_dilated": _convolution,
    "reduce_window_max": _max_pool,
}
