"""ConvNeXt against torchvision's: against recorded values, and against torchvision itself if installed."""

import jax
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints.tables import to_params
from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.convnext import TORCHVISION, ConvNeXt, ConvNeXtConfig

TINY = ConvNeXtConfig((1, 2, 1, 1), (8, 16, 24, 32))

# The first eight features and the mean of their squares that torchvision 0.29 gives for `drawn` at seed 0.
RECORDED = [
    -0.1910575, 1.540298, -0.5403659, -0.1676353, -2.647374, 0.6293402, -0.4787212, -0.924435, 3.133476
]  # fmt: skip


def shapes(config):
    """torchvision's keys and shapes of a ConvNeXt, without the last layer of its classifier."""
    first, last = config.widths[0], config.features
    found = {"features.0.0.weight": (first, 3, 4, 4), "features.0.0.bias": (first,)}
    found |= {"features.0.1.weight": (first,), "features.0.1.bias": (first,)}
    for stage, (depth, n) in enumerate(zip(config.depths, config.widths, strict=True)):
        if stage:
            before, name = config.widths[stage - 1], f"features.{2 * stage}"
            found |= {f"{name}.0.weight": (before,), f"{name}.0.bias": (before,)}
            found |= {f"{name}.1.weight": (n, before, 2, 2), f"{name}.1.bias": (n,)}
        for block in range(depth):
            name = f"features.{2 * stage + 1}.{block}"
            weights = {0: (n, 1, 7, 7), 2: (n,), 3: (4 * n, n), 5: (n, 4 * n)}
            found |= {f"{name}.block.{i}.weight": shape for i, shape in weights.items()}
            found |= {f"{name}.block.{i}.bias": shape[:1] for i, shape in weights.items()}
            found[f"{name}.layer_scale"] = (n, 1, 1)
    return found | {"classifier.0.weight": (last,), "classifier.0.bias": (last,)}


def drawn(config, seed):
    """Weights with which every layer affects the result."""
    rng = np.random.default_rng(seed)
    return {
        key: (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:], initial=1.0))).astype(np.float32)
        for key, shape in shapes(config).items()
    }


def pictures(side):
    return np.random.default_rng(1).standard_normal((4, side, side, 3)).astype(np.float32)


def features(config, tensors, x):
    model = nnx.eval_shape(lambda: ConvNeXt(config, rngs=nnx.Rngs(0)))
    nnx.update(model, to_params(tensors, TORCHVISION, nnx.to_pure_dict(nnx.state(model))))
    graph, state = nnx.split(model)
    return np.asarray(jax.jit(lambda state, x: nnx.merge(graph, state)(x, train=False))(state, x))


def test_recorded_features_of_torchvision():
    found = features(TINY, drawn(TINY, 0), pictures(64))
    assert found.shape == (4, 32)
    np.testing.assert_allclose(found[0, :8], RECORDED[:8], atol=2e-5)
    np.testing.assert_allclose(np.square(found).mean(), RECORDED[8], rtol=1e-5)


@pytest.mark.slow
def test_features_of_torchvision_itself():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    try:
        from torchvision.models import convnext
    except (ImportError, RuntimeError) as error:  # RuntimeError: made for another torch
        pytest.skip(f"torchvision can't be imported: {error}")
    widths = (*TINY.widths, None)
    settings = [convnext.CNBlockConfig(widths[i], widths[i + 1], TINY.depths[i]) for i in range(4)]
    network = convnext.ConvNeXt(settings, num_classes=5).eval()
    tensors = drawn(TINY, 0)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in tensors.items()}, strict=False)
    network.classifier[2] = torch.nn.Identity()
    x = pictures(64)
    with torch.inference_mode():
        expected = network(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(features(TINY, tensors, x), expected, atol=2e-5)


def test_convnext_tiny_has_the_known_size_and_operations():
    config = BACKBONES["convnext_tiny"]
    model = nnx.eval_shape(lambda: config.build(dtype=np.float32, rngs=nnx.Rngs(0)))
    classifier = 768 * 1000 + 1000
    assert sum(a.size for a in jax.tree.leaves(nnx.state(model))) == 28_589_128 - classifier
    assert sum(config.count_flops(224)) / 2 == pytest.approx(4.456e9 - 768e3, rel=1e-3)
    sizes = {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes(config).items()}
    sizes |= {"classifier.2.weight": np.zeros((1000, 768), np.float32)}
    to_params(sizes, TORCHVISION, nnx.to_pure_dict(nnx.state(model)))  # every key has its place


@pytest.mark.slow
def test_training_changes_no_statistics_and_is_the_same_function():
    model = ConvNeXt(TINY, rngs=nnx.Rngs(0))
    x = pictures(32)
    np.testing.assert_allclose(model(x, train=True), model(x, train=False), atol=1e-6)
    assert not jax.tree.leaves(nnx.state(model, nnx.BatchStat))
