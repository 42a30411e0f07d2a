"""Operations of the network against counts by hand and published ones."""

import pytest

from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.tools.planning.operations import count_operations


def test_full_size_is_what_is_known():
    full = count_operations(ModelConfig())
    assert full.forward == pytest.approx(285e9, rel=0.01)  # 162 G the encoder, 15 x 8.2 G the backbone
    assert full.training == pytest.approx(693e9, rel=0.01)  # twice the encoder, three times the backbone


def test_training_all_costs_three_times_forward():
    """But for the first layers, behind which nothing is trained, and attention's own products."""
    whole = count_operations(ModelConfig(), trained_blocks=-1)
    assert 2.97 < whole.training / whole.forward < 3


def test_each_trained_block_adds_its_matrices():
    counts = [count_operations(ModelConfig(), trained_blocks=n).training for n in range(3)]
    one = 2 * 257 * 12 * 1024**2
    assert counts[1] - counts[0] == counts[2] - counts[1] == one


def test_small_backbones_are_what_torchvision_says():
    """1.814 G multiply-adds for ResNet-18, 3.664 G for ResNet-34, both with a classifier of 512 x 1000."""
    backbones = {
        name: count_operations(ModelConfig(backbone=name)).forward
        for name in ("resnet18", "resnet34", "resnet50")
    }
    per_picture = (backbones["resnet34"] - backbones["resnet18"]) / 15 / 2
    assert per_picture == pytest.approx(3.664e9 - 1.814e9, rel=1e-3)
    assert (backbones["resnet50"] - backbones["resnet18"]) / 15 / 2 == pytest.approx(
        4.089e9 - 2048e3 - (1.814e9 - 512e3), rel=1e-3
    )
