"""ResNet v1.5 trunks (arXiv 1512.03385, stride on the 3x3 convolution): pictures to pooled features."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

_fan_out = nnx.initializers.variance_scaling(2.0, "fan_out", "normal")


@dataclasses.dataclass(frozen=True)
class BackboneConfig:
    """Sizes of a trunk."""

    depths: tuple[int, int, int, int]  # blocks per stage
    width: int = 64  # channels of the stem and of the first stage's 3x3 convolutions
    bottleneck: bool = False

    @property
    def features(self) -> int:
        """Width of the pooled feature."""
        return self.width * 8 * (4 if self.bottleneck else 1)


BACKBONES = {
    "resnet50": BackboneConfig((3, 4, 6, 3), bottleneck=True),
    "resnet34": BackboneConfig((3, 4, 6, 3)),
    "resnet18": BackboneConfig((2, 2, 2, 2)),
    "resnet_tiny": BackboneConfig((1, 1, 1, 1), width=16),  # tests and demo
}


class Conv(nnx.Module):
    """A convolution without bias, padded by half its size as in PyTorch, on NHWC."""

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
        kernel = self.kernel[...].astype(self.dtype)
        x = x.astype(self.dtype)
        size = kernel.shape[0]
        if size == 1:  # as a matrix product: the same sums, and faster on a CPU
            return x[:, :: self.stride, :: self.stride] @ kernel[0, 0]
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(self.stride, self.stride),
            padding=[(size // 2, size // 2)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )


class BatchNorm(nnx.Module):
    """Batch normalisation with PyTorch's semantics: eps 1e-5, momentum 0.1, unbiased running variance.

    Statistics are float32 whatever the activations are. Under jit on a sharded batch they are those of the
    global batch.
    """

    def __init__(self, channels: int):
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))
        self.mean = nnx.BatchStat(jnp.zeros(channels))
        self.var = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Normalises x (N, H, W, channels); `train` uses and records the batch's statistics."""
        mean, var = self._measured(x) if train else (self.mean[...], self.var[...])
        scale = self.scale[...] * jax.lax.rsqrt(var + 1e-5)
        offset = self.bias[...] - mean * scale
        return (x.astype(jnp.float32) * scale + offset).astype(x.dtype)

    def _measured(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        # Both sums in one pass over x; shifting by the running mean keeps their difference exact enough.
        shift = self.mean[...]
        shifted = x.astype(jnp.float32) - shift
        first = shifted.mean((0, 1, 2))
        var = jnp.maximum(jnp.square(shifted).mean((0, 1, 2)) - jnp.square(first), 0)
        mean = first + shift
        count = x.size // x.shape[-1]
        self.mean[...] = 0.9 * self.mean[...] + 0.1 * jax.lax.stop_gradient(mean)
        self.var[...] = 0.9 * self.var[...] + 0.1 * jax.lax.stop_gradient(var) * (count / max(count - 1, 1))
        return mean, var


class Block(nnx.Module):
    """A residual block: two 3x3 convolutions, or the 1x1, 3x3, 1x1 bottleneck."""

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
        y = jax.nn.relu(self.bn1(self.conv1(x), train=train))
        y = self.bn2(self.conv2(y), train=train)
        if self.bottleneck:
            y = self.bn3(self.conv3(jax.nn.relu(y)), train=train)
        if self.downsample:
            x = self.shortcut_bn(self.shortcut_conv(x), train=train)
        return jax.nn.relu(x + y)


class ResNet(nnx.Module):
    """Pictures to pooled features, without a classifier."""

    def __init__(self, config: BackboneConfig, *, dtype: jax.typing.DTypeLike = jnp.float32, rngs: nnx.Rngs):
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

    def __call__(self, pictures: jax.Array, *, train: bool) -> jax.Array:
        """Pictures (N, S, S, 3) to features (N, F) float32; `train` as in BatchNorm."""
        x = self.stem(pictures, train=train)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage:
                x = block(x, train=train)
        return x.astype(jnp.float32).mean((1, 2))

    def stem(self, pictures: jax.Array, *, train: bool) -> jax.Array:
        """Pictures (N, S, S, 3) to (N, S / 4, S / 4, width)."""
        x = jax.nn.relu(self.bn1(self.conv1(pictures), train=train))
        return nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
