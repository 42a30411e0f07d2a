"""Backbones: crops to one pooled feature each. docs/backbones.md explains how to add one."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
from flax import nnx

from lipfd_jax.models.convnext import ConvNeXtConfig
from lipfd_jax.models.efficientnet import EfficientNetConfig
from lipfd_jax.models.resnet import ResNetConfig
from lipfd_jax.models.weight_rules import Rule


class Backbone(Protocol):
    """Configuration of a backbone: its sizes, and all that other modules use of it."""

    @property
    def weights(self) -> Mapping[str, tuple[Rule, ...]]:
        """Weight tables, by a pattern of a key found only in such files."""

    @property
    def features(self) -> int:
        """Width of the pooled feature."""

    def build(self, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs) -> Any:
        """Builds the module: images (N, S, S, 3), in the model's input convention, and `train` to (N,
        features) float32; computes in dtype. It takes `frozen_blocks` too, the number of first blocks that
        training leaves as they are, and raises ValueError if it can't freeze so many.
        """

    def count_flops(self, side: int) -> tuple[int, int]:
        """Returns FLOPs (two per multiply-add) per image of the first convolution and of all others."""


BACKBONES: dict[str, Backbone] = {
    "resnet50": ResNetConfig((3, 4, 6, 3), bottleneck=True),
    "resnet34": ResNetConfig((3, 4, 6, 3)),
    "resnet18": ResNetConfig((2, 2, 2, 2)),
    "resnet_tiny": ResNetConfig((1, 1, 1, 1), width=16),  # tests and demo
    "efficientnet_lite0": EfficientNetConfig(),
    "convnext_tiny": ConvNeXtConfig((3, 3, 9, 3), (96, 192, 384, 768)),
}
