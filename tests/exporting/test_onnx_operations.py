"""Each operation in ONNX gives JAX's result, for any batch size, or is refused."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (the extra `export`)")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (the extra `export`)")

from lipfd_jax.exporting.onnx_graph import Graph, make_onnx_model, trace_jaxpr  # noqa: E402
from lipfd_jax.exporting.onnx_operations import OPERATIONS  # noqa: E402

RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((3, 3, 2, 8)).astype(np.float32)
MATRIX = RNG.standard_normal((6, 5)).astype(np.float32)
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def model_of(function, shape, dtype):
    """The ONNX model of a function of one array with these dimensions after the batch dimension."""
    (size,) = jax.export.symbolic_shape("b")
    closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((size, *shape), dtype))
    graph = Graph("x", size, io.BytesIO())
    (result,) = trace_jaxpr(graph, closed.jaxpr, closed.consts, ["x"], OPERATIONS)
    return make_onnx_model(
        graph, {"x": (dtype, (size, *shape))}, {"y": (result, closed.jaxpr.outvars[0].aval.shape)}
    )


CASES = {
    "elementwise": (lambda x: jnp.maximum(-x, 0.1) * x**3 / jnp.sqrt(x * x + 1) - jnp.exp(x), (4, 6)),
    "gelu": (lambda x: jax.nn.gelu(x, approximate=False), (6,)),
    "sums over axes": (lambda x: x.sum((1, 2)) - x.max((1, 2)), (3, 4, 2)),
    "softmax": (jax.nn.softmax, (3, 4)),
    "constants alone": (lambda x: x @ MATRIX + jax.lax.rsqrt(jnp.abs(jnp.asarray(MATRIX[0]))), (6,)),
    "repeated over the batch": (
        lambda x: jnp.concatenate([jnp.broadcast_to(jnp.arange(6.0), (x.shape[0], 1, 6)), x], axis=1),
        (2, 6),
    ),
    "merged with the batch": (lambda x: x.reshape(-1, 6).reshape(x.shape[0], 3, 4, 3).sum(2), (3, 4, 3)),
    "steps": (lambda x: x[:, 1::2, 1:4], (5, 6)),
    "one place": (lambda x: x[:, 2], (5, 6)),
    "reversed": (lambda x: x[..., ::-1], (4, 3)),
    "stacked and split": (lambda x: jnp.stack(jnp.split(x, 3, axis=-1), axis=1), (2, 6)),
    "product with several axes": (lambda x: jnp.einsum("bhwc,iw->bhic", x, jnp.asarray(MATRIX.T)), (3, 6, 2)),
    "product of two": (lambda x: jnp.einsum("bqhd,bkhd->bhqk", x, x + 1), (5, 2, 4)),
    "product over two": (lambda x: jnp.einsum("bhd,bqhd->bq", x[:, 0], x), (5, 2, 4)),
    "convolution": (
        lambda x: jax.lax.conv_general_dilated(
            x, jnp.asarray(KERNEL), (2, 2), ((1, 1), (1, 0)), dimension_numbers=DIMENSIONS
        ),
        (7, 6, 2),
    ),
    "grouped convolution": (
        lambda x: jax.lax.conv_general_dilated(
            x, jnp.asarray(KERNEL), (1, 1), "SAME", dimension_numbers=DIMENSIONS, feature_group_count=2
        ),
        (5, 6, 4),
    ),
    "max pool": (
        lambda x: jax.lax.reduce_window(
            x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
        ),
        (7, 6, 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operation_gives_what_jax_gives(name):
    function, shape = CASES[name]
    session = onnxruntime.InferenceSession(model_of(function, shape, np.float32).SerializeToString())
    for batch in (1, 3):
        x = RNG.standard_normal((batch, *shape)).astype(np.float32)
        (found,) = session.run(None, {"x": x})
        np.testing.assert_allclose(found, function(x), rtol=1e-5, atol=1e-5)


def test_uint8_stays_uint8_until_it_is_converted():
    model = model_of(lambda x: x[:, ::2].astype(jnp.float32), (4,), np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.get_inputs()[0].type == "tensor(uint8)"
    assert [node.op_type for node in model.graph.node].index("Slice") == 0
    (found,) = session.run(None, {"x": np.array([[255, 1, 128, 3]], np.uint8)})
    np.testing.assert_array_equal(found, [[255.0, 128.0]])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: jnp.sort(x), "operation sort"),
        (lambda x: x[:, jnp.array([0, 2, 3])], "uneven steps|not a regular slice"),
        (lambda x: x[:, jnp.array([1, 0])], "not a regular slice"),
    ],
)
def test_what_has_no_form_is_named(function, message):
    with pytest.raises(NotImplementedError, match=message):
        model_of(function, (4,), np.float32)
