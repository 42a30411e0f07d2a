"""Parts of the backbone: convolutions, stem, sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.resnet import Conv, ResNet


def test_strided_1x1_convolutions_take_every_other_pixel():
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 12, 12, 4)), jnp.float32)
    conv = Conv(4, 6, 1, 2, dtype=jnp.float32, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(conv(x), x[:, ::2, ::2] @ conv.kernel[...][0, 0], atol=1e-5)


@pytest.mark.parametrize("train", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_stem_is_convolution_norm_relu_pool(train):
    """The stem's result does not depend on the order of its operations; scales of both signs."""
    pictures = jnp.asarray(np.random.default_rng(0).standard_normal((3, 32, 32, 3)), jnp.float32)
    model = ResNet(BACKBONES["resnet_tiny"], rngs=nnx.Rngs(0))
    rng = np.random.default_rng(1)
    for value in (model.bn1.scale, model.bn1.bias, model.bn1.mean):
        value[...] = jnp.asarray(rng.standard_normal(16), jnp.float32)
    plain = nnx.clone(model)
    x = jax.nn.relu(plain.bn1(plain.conv1(pictures), train=train))
    expected = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
    np.testing.assert_allclose(model.stem(pictures, train=train), expected, atol=1e-5)
    np.testing.assert_allclose(model.bn1.mean[...], plain.bn1.mean[...], rtol=1e-5)
    np.testing.assert_allclose(model.bn1.var[...], plain.bn1.var[...], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "values"), [("resnet18", 11_176_512), ("resnet34", 21_284_672), ("resnet50", 23_508_032)]
)
def test_backbones_have_the_known_sizes(name, values):
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
