"""ResNet v1.5 backbones (arXiv 1512.03385, stride on the 3x3 convolution): images to pooled features."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.kernels.chunks import map_chunks
from lipfd_jax.kernels.convolution import convolution
from lipfd_jax.kernels.normed_product import normed_product
from lipfd_jax.kernels.product import product
from lipfd_jax.kernels.relu import relu
from lipfd_jax.kernels.stem import stem
from lipfd_jax.models.frozen_blocks import refuse_frozen_blocks
from lipfd_jax.models.norm import BatchNorm
from lipfd_jax.models.weight_rules import CONV, Rule, batch_norm_rules

_fan_out = nnx.initializers.variance_scaling(2.0, "fan_out", "normal")


# torchvision's names without the classifier, which the released checkpoint's backbone uses too.
BODY = (
    Rule(r"conv1\.weight", "conv1/kernel", CONV),
    *batch_norm_rules("bn1", "bn1"),
    Rule(r"layer([1-4])\.(\d+)\.conv([1-3])\.weight", r"layer\1/\2/conv\3/kernel", CONV),
    *batch_norm_rules(r"layer([1-4])\.(\d+)\.bn([1-3])", r"layer\1/\2/bn\3"),
    Rule(r"layer([1-4])\.(\d+)\.downsample\.0\.weight", r"layer\1/\2/shortcut_conv/kernel", CONV),
    *batch_norm_rules(r"layer([1-4])\.(\d+)\.downsample\.1", r"layer\1/\2/shortcut_bn"),
)

# torchvision's resnet18, 34 and 50. The ImageNet classifier is skipped.
TORCHVISION = (*BODY, Rule(r"fc\.(weight|bias)", None))


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
    """Sizes of a ResNet; a models.backbones.Backbone."""

    depths: tuple[int, int, int, int]  # blocks per stage
    width: int = 64  # channels of the stem and of the first stage's 3x3 convolutions
    bottleneck: bool = False

    weights: ClassVar = {r"layer1\.0\.": TORCHVISION}  # by a key that only such files have

    @property
    def features(self) -> int:
        """Width of the pooled feature."""
        return self.width * 8 * (4 if self.bottleneck else 1)

    def build(self, **options: Any) -> "ResNet":
        """Builds the backbone; options as for ResNet."""
        return ResNet(self, **options)

    def count_flops(self, side: int) -> tuple[int, int]:
        """Returns FLOPs per image of the first convolution and of all others."""
        side = -(-side // 2)
        stem = 2 * side**2 * 49 * 3 * self.width
        side, inputs, stages = -(-side // 2), self.width, 0
        for stage, depth in enumerate(self.depths):
            width = self.width * 2**stage
            outputs = width * (4 if self.bottleneck else 1)
            for block in range(depth):
                before = side
                if stage and not block:
                    side = -(-side // 2)
                if self.bottleneck:
                    stages += before**2 * inputs * width + side**2 * (9 * width**2 + width * outputs)
                else:
                    stages += side**2 * 9 * (inputs * width + width * outputs)
                stages += side**2 * inputs * outputs if inputs != outputs or before != side else 0
                inputs = outputs
        return stem, 2 * stages


class Conv(nnx.Module):
    """Convolution on NHWC without bias, padded by half its size as in PyTorch."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        stride: int,
        *,
        dtype: jax.typing.DTypeLike,
        rngs: nnx.Rngs,
    ):
        self.stride, self.dtype = stride, dtype
        self.kernel = nnx.Param(_fan_out(rngs.params(), (size, size, inputs, outputs)))

    def __call__(self, x: jax.Array) -> jax.Array:
        """(N, H, W, inputs) to (N, H / stride, W / stride, outputs)."""
        kernel, x = self.kernel[...].astype(self.dtype), x.astype(self.dtype)
        if len(kernel) == 1:
            return product(x[:, :: self.stride, :: self.stride], kernel[0, 0])
        return convolution(x, kernel, self.stride)

    def with_norm(self, x: jax.Array, norm: BatchNorm, *, train: bool) -> jax.Array:
        """Applies a 1x1 convolution and `norm` to x."""
        x = x.astype(self.dtype)[:, :: self.stride, :: self.stride]
        return normed_product(x, self.kernel[...][0, 0], norm, train=train)


class Block(nnx.Module):
    """Residual block: two 3x3 convolutions, or the 1x1, 3x3, 1x1 bottleneck."""

    conv1: Conv
    conv2: Conv
    conv3: Conv  # 1x1, widens the bottleneck's output
    bn1: BatchNorm
    bn2: BatchNorm
    bn3: BatchNorm

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        *,
        bottleneck: bool,
        dtype: jax.typing.DTypeLike,
        rngs: nnx.Rngs,
    ):
        outputs = width * (4 if bottleneck else 1)
        self.bottleneck = bottleneck
        sizes: tuple[tuple[int, int, int, int], ...]
        if bottleneck:
            sizes = ((inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1))
        else:
            sizes = ((inputs, width, 3, stride), (width, outputs, 3, 1))
        for number, size in enumerate(sizes, 1):
            setattr(self, f"conv{number}", Conv(*size, dtype=dtype, rngs=rngs))
            setattr(self, f"bn{number}", BatchNorm(size[1]))
        self.downsample = stride != 1 or inputs != outputs
        if self.downsample:
            self.shortcut_conv = Conv(inputs, outputs, 1, stride, dtype=dtype, rngs=rngs)
            self.shortcut_bn = BatchNorm(outputs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(N, H, W, inputs) to (N, H / stride, W / stride, outputs)."""
        y = relu(self.bn1(self.conv1(x), train=train))
        y = self.bn2(self.conv2(y), train=train)
        if self.bottleneck:
            y = self.conv3.with_norm(relu(y), self.bn3, train=train)
        if self.downsample:
            x = self.shortcut_conv.with_norm(x, self.shortcut_bn, train=train)
        return relu(x + y, readers=2)


class ResNet(nnx.Module):
    """Images to pooled features, without a classifier."""

    def __init__(self, config: ResNetConfig, *, dtype: jax.typing.DTypeLike = jnp.float32, rngs: nnx.Rngs):
        self.dtype = dtype
        self.conv1 = Conv(3, config.width, 7, 2, dtype=dtype, rngs=rngs)
        self.bn1 = BatchNorm(config.width)
        inputs = config.width
        for stage, depth in enumerate(config.depths):
            blocks = []
            for number in range(depth):
                stride = 2 if stage and not number else 1
                width = config.width * 2**stage
                blocks.append(
                    Block(inputs, width, stride, bottleneck=config.bottleneck, dtype=dtype, rngs=rngs)
                )
                inputs = width * (4 if config.bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nnx.List(blocks))

    def __call__(self, images: jax.Array, *, train: bool, frozen_blocks: int = 0) -> jax.Array:
        """Images (N, S, S, 3) to features (N, F) float32; `train` as in BatchNorm, `frozen_blocks` is 0."""
        refuse_frozen_blocks("a ResNet", frozen_blocks)

        def first(images: jax.Array) -> jax.Array:
            return self.stage(1, self.stem(images, train=train), train=train)

        def early(images: jax.Array) -> jax.Array:
            x = first(images) if train else map_chunks(first, images, "first stage")
            return self.stage(3, self.stage(2, x, train=train), train=train)

        def last(x: jax.Array) -> jax.Array:
            return self.stage(4, x, train=train)

        if train:  # images share batch statistics, so the batch is not split
            x = last(early(images))
        else:
            x = map_chunks(last, map_chunks(early, images, "crops"), "last stage")
        return x.astype(jnp.float32).mean((1, 2))

    @jax.named_scope("stem")
    def stem(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Images (N, S, S, 3) to (N, S / 4, S / 4, width)."""
        return stem(images.astype(self.dtype), self.conv1.kernel[...], self.bn1, train=train)

    def stage(self, number: int, x: jax.Array, *, train: bool) -> jax.Array:
        """Applies the blocks of stage 1 to 4."""
        for block in getattr(self, f"layer{number}"):
            x = block(x, train=train)
        return x
