"""EfficientNet-Lite backbones (arXiv 1905.11946): images to pooled features.

The Lite networks have no squeeze-and-excitation, ReLU6 instead of Swish, and one width of stem and head.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lipfd_jax.kernels.chunks import map_chunks
from lipfd_jax.kernels.depthwise import depthwise
from lipfd_jax.kernels.relu import relu6
from lipfd_jax.models.inputs import CLIP_MEAN, CLIP_STD
from lipfd_jax.models.norm import BatchNorm
from lipfd_jax.models.resnet import Conv
from lipfd_jax.models.weight_rules import CONV, Rule, batch_norm_rules

# The network was trained on (x - 127) / 128 of pixels 0..255.
_MEAN, _DEVIATION = 127 / 255, 128 / 255
_kernel_init = nnx.initializers.variance_scaling(2.0, "fan_in", "normal")  # of kernels with one input

_BODY = (
    Rule(r"_conv_stem\.weight", "stem/kernel", CONV),
    *batch_norm_rules("_bn0", "stem_norm"),
    Rule(r"_blocks\.(\d+)\._expand_conv\.weight", r"blocks/\1/expand/kernel", CONV),
    *batch_norm_rules(r"_blocks\.(\d+)\._bn0", r"blocks/\1/expand_norm"),
    Rule(r"_blocks\.(\d+)\._depthwise_conv\.weight", r"blocks/\1/depthwise/kernel", CONV),
    *batch_norm_rules(r"_blocks\.(\d+)\._bn1", r"blocks/\1/depthwise_norm"),
    Rule(r"_blocks\.(\d+)\._project_conv\.weight", r"blocks/\1/project/kernel", CONV),
    *batch_norm_rules(r"_blocks\.(\d+)\._bn2", r"blocks/\1/project_norm"),
    Rule(r"_fc\.(weight|bias)", None),
)
_HEAD = (Rule(r"_conv_head\.weight", "head/kernel", CONV), *batch_norm_rules("_bn1", "head_norm"))


@dataclasses.dataclass(frozen=True)
class Stage:
    """A run of MBConv blocks of one width."""

    depth: int  # blocks
    size: int  # of the depthwise kernel
    stride: int  # of the first block
    expansion: int  # channels of the depthwise convolution per input channel
    width: int  # output channels


LITE0 = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


@dataclasses.dataclass(frozen=True)
class EfficientNetConfig:
    """Sizes of an EfficientNet-Lite; a models.backbones.Backbone."""

    stages: tuple[Stage, ...] = LITE0
    stem_width: int = 32
    head: bool = True  # whether a 1x1 convolution follows the blocks
    head_width: int = 1280

    @property
    def weights(self) -> Mapping[str, tuple[Rule, ...]]:
        """The table of the PyTorch port's files, by a key that only such files have."""
        head = _HEAD if self.head else tuple(dataclasses.replace(rule, path=None) for rule in _HEAD)
        return {r"_conv_stem\.": (*_BODY, *head)}

    @property
    def features(self) -> int:
        """Width of the pooled feature."""
        return self.head_width if self.head else self.stages[-1].width

    def build(self, **options: Any) -> "EfficientNet":
        """Builds the backbone; options as for EfficientNet."""
        return EfficientNet(self, **options)

    def list_blocks(self) -> list["BlockSizes"]:
        """Returns the blocks of all stages in order."""
        blocks, inputs = [], self.stem_width
        for stage in self.stages:
            for number in range(stage.depth):
                stride = 1 if number else stage.stride
                blocks.append(BlockSizes(inputs, inputs * stage.expansion, stage.width, stage.size, stride))
                inputs = stage.width
        return blocks

    def count_flops(self, side: int) -> tuple[int, int]:
        """Returns FLOPs per image of the first convolution and of all others."""
        side = -(-side // 2)
        stem, others = side**2 * 9 * 3 * self.stem_width, 0
        for block in self.list_blocks():
            others += side**2 * block.inputs * block.width if block.expands else 0
            side = -(-side // block.stride)
            others += side**2 * block.width * (block.size**2 + block.outputs)
        others += side**2 * self.stages[-1].width * self.head_width if self.head else 0
        return 2 * stem, 2 * others


@dataclasses.dataclass(frozen=True)
class BlockSizes:
    """Sizes of one MBConv block."""

    inputs: int  # channels
    width: int  # channels of the depthwise convolution
    outputs: int  # channels
    size: int  # of the depthwise kernel
    stride: int

    @property
    def expands(self) -> bool:
        """Whether a 1x1 convolution widens the input."""
        return self.width != self.inputs

    @property
    def is_residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.inputs == self.outputs


class Depthwise(nnx.Module):
    """Depthwise convolution without bias, padded as TensorFlow's SAME."""

    def __init__(self, width: int, size: int, stride: int, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        self.stride, self.dtype = stride, dtype
        self.kernel = nnx.Param(_kernel_init(rngs.params(), (size, size, 1, width)))

    def __call__(self, x: jax.Array) -> jax.Array:
        """(N, H, W, width) to (N, ceil(H / stride), ceil(W / stride), width)."""
        return depthwise(x.astype(self.dtype), self.kernel[...].astype(self.dtype), self.stride)


class Block(nnx.Module):
    """MBConv: a 1x1 convolution widens, a depthwise one mixes pixels, a 1x1 one narrows without ReLU6."""

    expand: Conv
    expand_norm: BatchNorm

    def __init__(self, sizes: BlockSizes, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        options: dict[str, Any] = {"dtype": dtype, "rngs": rngs}
        self.expands, self.is_residual = sizes.expands, sizes.is_residual
        if sizes.expands:
            self.expand = Conv(sizes.inputs, sizes.width, 1, 1, **options)
            self.expand_norm = _make_norm(sizes.width)
        self.depthwise = Depthwise(sizes.width, sizes.size, sizes.stride, **options)
        self.depthwise_norm = _make_norm(sizes.width)
        self.project = Conv(sizes.width, sizes.outputs, 1, 1, **options)
        self.project_norm = _make_norm(sizes.outputs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(N, H, W, inputs) to (N, ceil(H / stride), ceil(W / stride), outputs)."""
        y = relu6(self.expand.with_norm(x, self.expand_norm, train=train)) if self.expands else x
        y = relu6(self.depthwise_norm(self.depthwise(y), train=train))
        y = self.project_norm(self.project(y), train=train)
        return x + y if self.is_residual else y


class EfficientNet(nnx.Module):
    """Images to pooled features, without a classifier.

    Training does not drop blocks (stochastic depth, up to 0.2 in the published training): few epochs do not
    need it.
    """

    head: Conv
    head_norm: BatchNorm

    def __init__(
        self, config: EfficientNetConfig, *, dtype: jax.typing.DTypeLike = jnp.float32, rngs: nnx.Rngs
    ):
        options: dict[str, Any] = {"dtype": dtype, "rngs": rngs}
        self.dtype, self.has_head = dtype, config.head
        self.stem = Conv(3, config.stem_width, 3, 2, **options)
        self.stem_norm = _make_norm(config.stem_width)
        self.blocks = nnx.List(Block(sizes, **options) for sizes in config.list_blocks())
        if config.head:
            self.head = Conv(config.stages[-1].width, config.head_width, 1, 1, **options)
            self.head_norm = _make_norm(config.head_width)

    def __call__(self, images: jax.Array, *, train: bool, frozen_blocks: int = 0) -> jax.Array:
        """Computes features.

        Args:
          images: (N, S, S, 3), RGB normalised by CLIP's mean and deviation.
          train: as in BatchNorm.
          frozen_blocks: if not 0, the stem and that many first blocks are computed as in inference even in
            training, and get no gradient: neither their parameters nor the images. The other blocks then
            normalise by running statistics too, and leave them: those of a few crops, some of them of one
            person, say little about others.

        Returns:
          (N, F) float32.

        Raises:
          ValueError: the network has fewer blocks.
        """
        if not 0 <= frozen_blocks <= len(self.blocks):
            raise ValueError(f"frozen_blocks={frozen_blocks}: expected 0 to {len(self.blocks)}")
        if not train:
            return map_chunks(self._infer, images, "crops")
        if not frozen_blocks:
            x = self._apply_stem(images, train=True)
        else:
            images = jax.lax.stop_gradient(images)
            frozen = self._without_gradients()
            x = map_chunks(lambda images: frozen._start(images, frozen_blocks), images, "crops")
        for block in self.blocks[frozen_blocks:]:
            x = block(x, train=not frozen_blocks)
        return self._finish(x, train=not frozen_blocks)

    def _without_gradients(self) -> "EfficientNet":
        """Returns the network with constants: a loop over chunks keeps nothing for a backward pass."""
        graph, state = nnx.split(self)
        return nnx.merge(graph, jax.tree.map(jax.lax.stop_gradient, state))

    def _infer(self, images: jax.Array) -> jax.Array:
        return self._finish(self._start(images, len(self.blocks)), train=False)

    def _start(self, images: jax.Array, blocks: int) -> jax.Array:
        """Applies the stem and the first blocks by their running statistics."""
        x = self._apply_stem(images, train=False)
        for block in self.blocks[:blocks]:
            x = block(x, train=False)
        return x

    @jax.named_scope("stem")
    def _apply_stem(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Images (N, S, S, 3) in CLIP's normalisation to (N, S / 2, S / 2, stem_width)."""
        scale, offset = CLIP_STD / _DEVIATION, (CLIP_MEAN - _MEAN) / _DEVIATION
        images = (images * scale.astype(np.float32) + offset.astype(np.float32)).astype(self.dtype)
        x = jax.lax.conv_general_dilated(
            images,
            self.stem.kernel[...].astype(self.dtype),
            (2, 2),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return relu6(self.stem_norm(x, train=train))

    def _finish(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Applies the head to (N, H, W, C), then averages over pixels to (N, F) float32."""
        if self.has_head:
            x = relu6(self.head.with_norm(x, self.head_norm, train=train))
        return x.astype(jnp.float32).mean((1, 2))


def _make_norm(channels: int) -> BatchNorm:
    return BatchNorm(channels, epsilon=1e-3, momentum=0.01)
