"""The trunk's parts: convolutions, batch statistics, sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.models.resnet import BACKBONES, BatchNorm, Conv, ResNet


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
def test_conv_is_the_convolution(size, stride):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 12, 12, 4)), jnp.float32)
    conv = Conv(4, 6, size, stride, dtype=jnp.float32, rngs=nnx.Rngs(0))
    pad = size // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))[:, ::stride, ::stride]
    np.testing.assert_allclose(conv(x), np.einsum("nhwcij,ijco->nhwo", windows, conv.kernel[...]), atol=1e-4)


def test_batch_norm_measures_and_remembers():
    x = np.random.default_rng(0).normal(300, 2, (4, 3, 3, 5)).astype(np.float32)  # mean far above deviation
    norm = BatchNorm(5)
    norm.mean[...] = jnp.full(5, 290.0)
    y = np.asarray(norm(jnp.asarray(x), train=True))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, atol=1e-3)
    np.testing.assert_allclose(norm.mean[...], 0.9 * 290 + 0.1 * x.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(norm.var[...], 0.9 + 0.1 * x.var((0, 1, 2), ddof=1), rtol=1e-4)


def test_batch_norm_at_rest_uses_what_it_remembers():
    norm = BatchNorm(2)
    norm.mean[...], norm.var[...] = jnp.array([1.0, 2.0]), jnp.array([4.0, 9.0])
    y = norm(jnp.full((1, 1, 1, 2), 5.0), train=False)
    np.testing.assert_allclose(y[0, 0, 0], [2, 1], rtol=1e-5)
    np.testing.assert_array_equal(norm.mean[...], [1, 2])


def test_bfloat16_statistics_are_float32():
    x = jnp.asarray(np.random.default_rng(0).normal(5, 1, (64, 16, 16, 3)), jnp.bfloat16)
    norm = BatchNorm(3)
    assert norm(x, train=True).dtype == jnp.bfloat16
    expected = np.asarray(x, np.float64)
    np.testing.assert_allclose(norm.mean[...], 0.1 * expected.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(norm.var[...], 0.9 + 0.1 * expected.var((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "values"), [("resnet18", 11_176_512), ("resnet34", 21_284_672), ("resnet50", 23_508_032)]
)
def test_trunks_have_the_known_sizes(name, values):
    model = nnx.eval_shape(lambda: ResNet(BACKBONES[name], rngs=nnx.Rngs(0)))
    assert sum(a.size for a in jax.tree.leaves(nnx.state(model, nnx.Param))) == values


def test_training_is_seen_only_when_asked():
    pictures = jnp.asarray(np.random.default_rng(0).standard_normal((4, 64, 64, 3)), jnp.float32)
    model = ResNet(BACKBONES["resnet_tiny"], rngs=nnx.Rngs(0))
    run = nnx.jit(lambda model, pictures, train: model(pictures, train=train), static_argnames="train")
    before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model, nnx.BatchStat)))
    assert run(model, pictures, train=False).shape == (4, BACKBONES["resnet_tiny"].features)
    same = nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
    jax.tree.map(np.testing.assert_array_equal, before, same)
    run(model, pictures, train=True)
    changed = nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool(np.any(a != b)), before, changed)))
