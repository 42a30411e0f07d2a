"""EfficientNet-Lite against its PyTorch port: recorded values, and the port itself if installed."""

import functools

import jax
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pretrained import backbone_weights
from lipfd_jax.checkpoints.published import find_published
from lipfd_jax.checkpoints.tables import to_params
from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.efficientnet import EfficientNet, EfficientNetConfig, Stage
from lipfd_jax.models.inputs import CLIP_MEAN, CLIP_STD
from lipfd_jax.models.lipfd import ModelConfig

TINY = EfficientNetConfig((Stage(1, 3, 1, 1, 8), Stage(2, 5, 2, 6, 16), Stage(2, 3, 2, 6, 24)))
# Means of eight groups of the first picture's features, and the mean of all squares, that
# efficientnet-lite-pytorch 0.1.0 gives on PyTorch 2.13 for `pictures`: of TINY (64 pixels) with weights
# `drawn` at seed 0, and of the published weights (96 pixels).
RECORDED = [
    1.609196, 1.51296, 2.038314, 1.934019, 1.937708, 1.864501, 1.588784, 2.077293, 8.153199
]  # fmt: skip
PUBLISHED = [
    0.0235726, 0.02352867, 0.08421713, 0.01893993, 0.008942271, 0.02429127, 0.009269518, 0.01924698,
    0.04358109
]  # fmt: skip


def shapes(config):
    """The port's keys and shapes of a network, without its classifier."""
    found = {"_conv_stem.weight": (config.stem_width, 3, 3, 3)} | norm("_bn0", config.stem_width)
    for number, block in enumerate(config.list_blocks()):
        name = f"_blocks.{number}."
        if block.expands:
            found[f"{name}_expand_conv.weight"] = (block.width, block.inputs, 1, 1)
            found |= norm(f"{name}_bn0", block.width)
        found[f"{name}_depthwise_conv.weight"] = (block.width, 1, block.size, block.size)
        found[f"{name}_project_conv.weight"] = (block.outputs, block.width, 1, 1)
        found |= norm(f"{name}_bn1", block.width) | norm(f"{name}_bn2", block.outputs)
    found["_conv_head.weight"] = (config.head_width, config.stages[-1].width, 1, 1)
    return found | norm("_bn1", config.head_width)


def norm(name, width):
    return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}


def drawn(config, seed):
    """Weights with which every layer affects the result; variances are positive."""
    rng = np.random.default_rng(seed)
    found = {}
    for key, shape in shapes(config).items():
        values = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:], initial=1.0))
        found[key] = (np.abs(values) + 0.5 if key.endswith("var") else values).astype(np.float32)
    return found


def pictures(side):
    """Pixels x / 255 of noise whose neighbours resemble each other, as in a photograph."""
    noise = np.random.default_rng(1).random((2, side // 8, side // 8, 3), np.float32)
    return np.kron(noise, np.ones((1, 8, 8, 1), np.float32))


@functools.cache
def compiled(config, train=False, frozen_blocks=0):
    graph, _ = nnx.split(nnx.eval_shape(lambda: EfficientNet(config, rngs=nnx.Rngs(0))))

    def run(state, x):
        model = nnx.merge(graph, state)
        return model(x, train=train, frozen_blocks=frozen_blocks), nnx.state(model)

    return jax.jit(run)


def load(config, tensors):
    model = nnx.eval_shape(lambda: EfficientNet(config, rngs=nnx.Rngs(0)))
    (table,) = config.weights.values()
    nnx.update(model, to_params(tensors, table, nnx.to_pure_dict(nnx.state(model))))
    return nnx.state(model)


def normalised(pixels):
    return (pixels - CLIP_MEAN) / CLIP_STD


def check(found, recorded):
    means = found[0].reshape(8, -1).mean(1)
    np.testing.assert_allclose(means, recorded[:8], atol=1e-5 * np.sqrt(recorded[8]))
    np.testing.assert_allclose(np.square(found).mean(), recorded[8], rtol=2e-5)


def test_recorded_features_of_the_port():
    found, _ = compiled(TINY)(load(TINY, drawn(TINY, 0)), normalised(pictures(64)))
    assert found.shape == (2, 1280)
    check(np.asarray(found), RECORDED)


def test_recorded_features_of_the_published_weights():
    try:
        path = find_published("efficientnet_lite0")
    except CheckpointError as error:
        pytest.skip(str(error))
    model = BACKBONES["efficientnet_lite0"].build(rngs=nnx.Rngs(0))
    nnx.update(model, backbone_weights(path, ModelConfig(backbone="efficientnet_lite0")))
    found, _ = compiled(BACKBONES["efficientnet_lite0"])(nnx.state(model), normalised(pictures(96)))
    check(np.asarray(found), PUBLISHED)


def port(config):
    """The port's network of these sizes, in evaluation."""
    pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    lite = pytest.importorskip("efficientnet_lite_pytorch", reason="the port is not installed")
    from efficientnet_lite_pytorch.utils import BlockDecoder, get_model_params

    inputs, blocks = 32, []
    for stage in config.stages:
        step = f"s{stage.stride}{stage.stride}"
        blocks.append(f"r{stage.depth}_k{stage.size}_{step}_e{stage.expansion}_i{inputs}_o{stage.width}")
        inputs = stage.width
    _, settings = get_model_params("efficientnet-lite0", None)
    return lite.EfficientNet(BlockDecoder.decode(blocks), settings).eval()


def features_of_port(network, tensors, pixels):
    import torch

    tensors = {key: torch.from_numpy(np.array(value)) for key, value in tensors.items()}
    network.load_state_dict(tensors, strict=False)
    x = torch.from_numpy((pixels * 255 - 127) / 128).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return network.extract_features(x).mean((2, 3)).numpy()


@pytest.mark.slow
def test_features_of_the_port_itself():
    tensors, pixels = drawn(TINY, 0), pictures(64)
    expected = features_of_port(port(TINY), tensors, pixels)
    found, _ = compiled(TINY)(load(TINY, tensors), normalised(pixels))
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.sqrt(np.square(expected).mean()))


def test_lite0_has_the_known_size_and_operations():
    config = BACKBONES["efficientnet_lite0"]
    model = nnx.eval_shape(lambda: config.build(dtype=np.float32, rngs=nnx.Rngs(0)))
    classifier = 1280 * 1000 + 1000
    assert sum(a.size for a in jax.tree.leaves(nnx.state(model, nnx.Param))) == 4_652_008 - classifier
    assert sum(config.count_flops(224)) / 2 == pytest.approx(385e6, rel=2e-2)
    sizes = {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes(config).items()}
    sizes |= {"_fc.weight": np.zeros((1000, 1280), np.float32), "_fc.bias": np.zeros(1000, np.float32)}
    (table,) = config.weights.values()
    to_params(sizes, table, nnx.to_pure_dict(nnx.state(model)))  # every key has its place


def test_the_head_is_optional():
    config = EfficientNetConfig(TINY.stages, head=False)
    found, _ = compiled(config)(load(config, drawn(TINY, 0)), normalised(pictures(32)))
    assert found.shape == (2, config.features) == (2, 24)
    assert sum(TINY.count_flops(64)) - sum(config.count_flops(64)) == 2 * 8 * 8 * 24 * 1280


def test_frozen_blocks_are_left_as_they_are():
    state = load(TINY, drawn(TINY, 0))
    x = normalised(pictures(32))

    def loss(params, others):
        found, after = compiled(TINY, train=True, frozen_blocks=2)(nnx.merge_state(params, others), x)
        return found.sum(), after

    params, others = nnx.split_state(state, nnx.Param, ...)
    gradients, after = jax.grad(loss, has_aux=True)(params, others)
    for path, gradient in nnx.to_flat_state(gradients):
        frozen = path[0] in ("stem", "stem_norm") or path[:2] in (("blocks", 0), ("blocks", 1))
        assert np.any(gradient[...]) != frozen, path
    after = dict(nnx.to_flat_state(nnx.state(after, nnx.BatchStat)))
    for path, before in nnx.to_flat_state(nnx.filter_state(others, nnx.BatchStat)):
        assert np.array_equal(before[...], after[path][...]), path


def test_more_frozen_blocks_than_there_are_are_refused():
    with pytest.raises(ValueError, match="frozen_blocks=6: expected 0 to 5"):
        jax.eval_shape(compiled(TINY, frozen_blocks=6), load(TINY, drawn(TINY, 0)), pictures(32))
    for name in ("resnet_tiny", "convnext_tiny"):
        model = nnx.eval_shape(lambda name=name: BACKBONES[name].build(dtype=np.float32, rngs=nnx.Rngs(0)))
        with pytest.raises(ValueError, match=r"frozen_blocks=1: .* set it to 0"):
            model(pictures(32), train=True, frozen_blocks=1)
