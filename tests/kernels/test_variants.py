"""Every variant of every operation against its plain definition, forward and backward."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.kernels import bf16_convolution, bf16_kernel_gradient, kernel_gradient
from lipfd_jax.kernels.attention import attention
from lipfd_jax.kernels.batch_statistics import batch_statistics
from lipfd_jax.kernels.channel_sums import affine, channel_sums
from lipfd_jax.kernels.chunks import map_chunks
from lipfd_jax.kernels.convolution import convolution, plain
from lipfd_jax.kernels.dense import dense
from lipfd_jax.kernels.depthwise import depthwise
from lipfd_jax.kernels.dispatch import VARIANTS, Kernels, use_kernels
from lipfd_jax.kernels.input_convolution import input_convolution
from lipfd_jax.kernels.max_pool import max_pool
from lipfd_jax.kernels.normed_product import normed_product
from lipfd_jax.kernels.product import product
from lipfd_jax.kernels.relu import relu, relu6
from lipfd_jax.kernels.resize import compute_taps, resize
from lipfd_jax.kernels.resize_image import resize_image
from lipfd_jax.kernels.stem import stem
from lipfd_jax.models.norm import BatchNorm

CHANNELS = 8
SIDES = compute_taps(40, 35, antialias=True), compute_taps(60, 20, antialias=True)
LONG_SIDES = compute_taps(40, 17, antialias=True, box=(2.5, 33)), compute_taps(60, 70, antialias=True)


def coloured(pictures):
    return (pictures - jnp.array([100.0, 110, 120], pictures.dtype)) * jnp.asarray(0.02, pictures.dtype)


def normed(operation, x, kernel, params, *, train):
    """The operation with a batch norm of given values; returns its updated statistics too."""
    norm = BatchNorm(kernel.shape[-1])
    norm.scale[...], norm.bias[...], norm.mean[...] = params
    y = operation(x, kernel, norm, train=train)
    return y, norm.mean[...], norm.var[...]


def halves_of_squares(x):
    return map_chunks(lambda part: jnp.square(part["a"]) / 2, {"a": x}, "crops")


@dataclasses.dataclass(frozen=True)
class Case:
    function: object
    shapes: tuple  # of its arguments
    tolerance: float = 1e-5  # of each result and gradient, relative to the largest value
    dtype: object = jnp.float32
    scale: float = 1.0  # of the drawn arguments


CASES = {
    "dense": [Case(dense, ((3, 4, 16), (16, 8))), Case(dense, ((5, 16), (16, 8)), 2e-2, jnp.bfloat16)],
    "chunks": [Case(halves_of_squares, ((4, 6),)), Case(halves_of_squares, ((7, 6),))],
    "resize": [
        Case(lambda x: resize(x, *LONG_SIDES), ((2, 3, 40, 60, 3),)),
        Case(lambda x: resize(x, *LONG_SIDES, dtype=jnp.bfloat16), ((40, 60, 3),), 2e-2),
    ],
    "resize_image": [
        Case(
            lambda x: resize_image(x, *SIDES, dtype=jnp.float32, transform=coloured), ((2, 40, 60, 3),), 2e-5
        ),
        Case(
            lambda x: resize_image(x, *SIDES, dtype=jnp.bfloat16, transform=coloured),
            ((2, 40, 60, 3),),
            2e-2,
            scale=100,
        ),
    ],
    "input_convolution": [Case(input_convolution, ((2, 20, 30, 3), (5, 5, 3, 4)))],
    "product": [
        Case(product, ((2, 3, 4, 5), (5, 6))),
        Case(product, ((2, 3, 4, 5), (5, 6)), 2e-2, jnp.bfloat16),
    ],
    "convolution": [
        Case(partial(convolution, stride=stride), (shape, (size, size, shape[-1], 6)), tolerance, dtype)
        for size, stride, shape in ((3, 1, (4, 9, 7, 5)), (3, 2, (3, 10, 8, 5)), (7, 2, (5, 16, 12, 3)))
        for tolerance, dtype in ((1e-5, jnp.float32), (2e-2, jnp.bfloat16))
    ],
    "depthwise": [
        Case(partial(depthwise, stride=stride), ((*shape, 7), (size, size, 1, 7)))
        for size, stride, shape in (
            (3, 1, (2, 34, 5)),
            (3, 2, (4, 9, 7)),
            (5, 1, (3, 8, 12)),
            (5, 2, (2, 10, 8)),
            (5, 2, (1, 1, 1)),
            (5, 1, (6, 80, 80)),  # more than a loop takes at once
            (3, 2, (6, 80, 80)),
        )
    ]
    + [
        Case(partial(depthwise, stride=2), ((4, 9, 6, 7), (5, 5, 1, 7)), 2e-2, jnp.bfloat16),
    ],
    "attention": [
        Case(attention, ((2, 7, heads, 16),) * 3, tolerance, dtype)
        for heads in (4, 6)
        for tolerance, dtype in ((1e-5, jnp.float32), (2e-2, jnp.bfloat16))
    ],
    "max_pool": [Case(max_pool, (shape,)) for shape in ((2, 8, 12, 3), (2, 7, 12, 3), (2, 8, 5, 3))],
    "relu": [Case(relu, ((3, 5),)), Case(partial(relu, readers=2), ((3, 5),))],
    "channel_sums": [
        Case(channel_sums, ((3, 4, 6, 5),)),
        Case(channel_sums, ((1, 3, 1, 5),)),
        Case(affine, ((3, 4, 6, 5), (5,), (5,))),
    ],
    "batch_statistics": [Case(lambda x: batch_statistics(x, jnp.full(3, 0.3)), ((4, 5, 5, 3),))],
    "normed_product": [
        Case(partial(normed, normed_product, train=train), ((8, 7, 7, 12), (12, 20), (3, 20)), 5e-5)
        for train in (True, False)
    ],
    "stem": [
        Case(partial(normed, stem, train=train), ((3, 32, 32, 3), (7, 7, 3, 16), (3, 16)), 5e-5)
        for train in (True, False)
    ],
}


def test_all_operations_are_here():
    assert CASES.keys() == VARIANTS.keys()


@pytest.mark.parametrize(
    ("operation", "implementation"),
    [
        pytest.param(name, column, marks=[] if column.startswith("cpu") else pytest.mark.slow)
        for name, row in VARIANTS.items()
        for column in row
    ],
)
def test_variant_is_the_operation(operation, implementation):
    assert kernels(implementation).variant(operation) != "plain"
    for case in CASES[operation]:
        rng = np.random.default_rng(0)
        given = [jnp.asarray(case.scale * rng.standard_normal(s), case.dtype) for s in case.shapes]
        expected, found = (values_and_gradients(case.function, given, k) for k in ("plain", implementation))
        dtypes = [a.dtype for a in expected]
        if kernels(implementation).variant(operation) == "half_result":
            dtypes[0] = jnp.bfloat16  # of the result, not of the gradient
        assert [a.dtype for a in found] == dtypes
        for ours, theirs in zip(found, expected, strict=True):
            ours, theirs = (np.asarray(a, np.float32) for a in (ours, theirs))
            tolerance = max(case.tolerance, 2e-2 if "bfloat16" in implementation else 0)
            np.testing.assert_allclose(ours, theirs, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_many_pictures_are_convolved_a_few_at_a_time(size, stride, monkeypatch):
    rng = np.random.default_rng(0)
    shapes = (6, 8, 10, 4), (size, size, 4, 5)
    given = [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in shapes]
    function = partial(convolution, stride=stride)
    whole = values_and_gradients(function, given, "cpu bfloat16")
    for module in (bf16_convolution, bf16_kernel_gradient):
        monkeypatch.setattr(module, "_CACHED_VALUES", 2 * 8 * 10 * 4)
    for found, expected in zip(values_and_gradients(function, given, "cpu bfloat16"), whole, strict=True):
        np.testing.assert_allclose(found, expected, atol=4e-3 * np.abs(expected).max())  # stored in bfloat16


@pytest.mark.parametrize("pixels", [20, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 10, 45, 120))])
@pytest.mark.parametrize(("size", "stride", "inputs"), [(3, 1, 4), (3, 2, 4), (3, 2, 20), (7, 2, 20)])
def test_the_kernels_gradient_is_summed_by_rows_and_pictures(size, stride, inputs, pixels, monkeypatch):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((6, 9, 10, inputs)), jnp.float32)
    kernel = jnp.asarray(rng.standard_normal((size, size, inputs, 5)), jnp.float32)
    result, back = jax.vjp(lambda kernel: plain(x, kernel, stride), kernel)
    above = jnp.asarray(rng.standard_normal(result.shape), jnp.float32)
    monkeypatch.setattr(kernel_gradient, "_PIXELS", pixels)
    found = kernel_gradient.kernel_gradient(x, above, size, stride)
    np.testing.assert_allclose(found, back(above)[0], atol=1e-4)


def kernels(column):
    """The kernels of a column of the table, such as "cpu bfloat16"."""
    implementation, *precision = column.split()
    return Kernels(implementation, precision=precision[0] if precision else "float32")


def values_and_gradients(function, given, implementation):
    @jax.jit
    def run(given):
        values, back = jax.vjp(function, *given)
        # Drawn for the results in turn, the same for every implementation.
        above = [np.random.default_rng(1).standard_normal(a.shape) for a in jax.tree.leaves(values)]
        above = [jnp.asarray(a, b.dtype) for a, b in zip(above, jax.tree.leaves(values), strict=True)]
        return jax.tree.leaves(values), back(jax.tree.unflatten(jax.tree.structure(values), above))

    with use_kernels(kernels(implementation)):
        values, gradients = run(given)
    return [*values, *gradients]


def test_half_precision_loses_no_more_by_moments():
    rng = np.random.default_rng(0)
    x = jnp.asarray(np.maximum(rng.normal(0.5, 1, (8, 7, 7, 12)), 0), jnp.float32)
    kernel = jnp.asarray(rng.standard_normal((12, 20)), jnp.float32)
    norm = BatchNorm(20)
    norm.scale[...], norm.bias[...] = jnp.asarray(rng.standard_normal((2, 20)), jnp.float32)

    def result(x, implementation):
        with use_kernels(Kernels(implementation)):
            return np.asarray(normed_product(x, kernel, nnx.clone(norm), train=True), np.float32)

    exact = result(x, "plain")
    errors = [
        np.sqrt(np.mean(np.square(result(x.astype(jnp.bfloat16), name) - exact))) for name in ("tpu", "plain")
    ]
    assert errors[0] < 1.2 * errors[1]


def test_equal_pixels_of_a_pool_have_the_gradient_once():
    """Variants may split the gradient among equal values in any way, but its sum must stay."""
    for implementation in ("plain", "cpu"):
        with use_kernels(Kernels(implementation)):
            _, back = jax.vjp(max_pool, jnp.ones((1, 8, 8, 2)))
            assert back(jnp.ones((1, 4, 4, 2)))[0].sum() == pytest.approx(32)


@pytest.mark.parametrize("implementation", ["plain", "cpu", "cpu bfloat16", "tpu", "gpu"])
def test_relu_has_no_gradient_at_zero(implementation):
    with use_kernels(kernels(implementation)):
        y, back = jax.vjp(relu, jnp.array([-2.0, 0.0, 3.0]))
    np.testing.assert_array_equal(y, [0, 0, 3])
    np.testing.assert_array_equal(back(jnp.array([5.0, 6.0, 7.0], y.dtype))[0], [0, 0, 7])


def test_relu6_has_no_gradient_where_it_is_cut_off():
    x = jnp.array([-1.0, 0, 0.5, 5.5, 6, 7])
    np.testing.assert_array_equal(relu6(x), [0, 0, 0.5, 5.5, 6, 6])
    np.testing.assert_array_equal(jax.grad(lambda x: relu6(x).sum())(x), [0, 0, 1, 1, 0, 0])
