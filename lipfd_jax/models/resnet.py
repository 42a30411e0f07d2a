"""ResNet v1.5 backbones (arXiv 1512.03385, stride on the 3x3 convolution): pictures to pooled features."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.kernels.chunks import in_pieces
from lipfd_jax.kernels.convolution import convolution, product
from lipfd_jax.models.norm import BatchNorm

_fan_out = nnx.initializers.variance_scaling(2.0, "fan_out", "normal")


@dataclasses.dataclass(frozen=True)
class BackboneConfig:
    """Sizes of a backbone."""

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

    def __call__(self, x: jax.Array, factors: jax.Array | float = 1.0) -> jax.Array:
        """(N, H, W, inputs) to (N, H / stride, W / stride, outputs), which are multiplied by `factors`."""
        kernel = (self.kernel[...] * factors).astype(self.dtype)
        x = x.astype(self.dtype)
        if len(kernel) == 1:
            return product(x[:, :: self.stride, :: self.stride], kernel[0, 0])
        return convolution(x, kernel, self.stride)

    def normed(self, x: jax.Array, norm: BatchNorm, *, train: bool) -> jax.Array:
        """`norm` of a 1x1 convolution of x."""
        x = x.astype(self.dtype)[:, :: self.stride, :: self.stride]
        return norm.of_product(x, self.kernel[...][0, 0], train=train)


@jax.custom_vjp
def relu(x: jax.Array) -> jax.Array:
    """max(x, 0); its gradient looks at the result, so that x itself need not be kept."""
    return jnp.maximum(x, 0)


relu.defvjp(lambda x: (relu(x),) * 2, lambda y, gradient: (jnp.where(y > 0, gradient, 0),))


@jax.custom_vjp
def kept_relu(x: jax.Array) -> jax.Array:
    """As `relu`, for a result with many readers: computed once, where XLA would keep x as well for some."""
    return jax.lax.optimization_barrier(relu(x))


kept_relu.defvjp(lambda x: (kept_relu(x),) * 2, lambda y, gradient: (jnp.where(y > 0, gradient, 0),))


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
        y = relu(self.bn1(self.conv1(x), train=train))
        y = self.bn2(self.conv2(y), train=train)
        if self.bottleneck:
            y = self.conv3.normed(relu(y), self.bn3, train=train)
        if self.downsample:
            x = self.shortcut_conv.normed(x, self.shortcut_bn, train=train)
        return kept_relu(x + y)


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

    def __call__(
        self, pictures: jax.Array, *, train: bool, pieces: tuple[int, int] | None = None
    ) -> jax.Array:
        """Pictures (N, S, S, 3) to features (N, F) float32; `train` as in BatchNorm.

        `pieces` says how many pictures pass together through all but the last stage, and through the last;
        training takes all, whose statistics they share.
        """
        first, last = (None, None) if train or pieces is None else pieces

        def stage(number: int, x: jax.Array) -> jax.Array:
            for block in getattr(self, f"layer{number}"):
                x = block(x, train=train)
            return x

        def early(x: jax.Array) -> jax.Array:
            return stage(3, stage(2, stage(1, self.stem(x, train=train))))

        x = in_pieces(partial(stage, 4), in_pieces(early, pictures, first), last)
        return x.astype(jnp.float32).mean((1, 2))

    def stem(self, pictures: jax.Array, *, train: bool) -> jax.Array:
        """Pictures (N, S, S, 3) to (N, S / 4, S / 4, width)."""
        # The largest pixels are still largest after the norm, or smallest where its scale is negative. With
        # those channels' signs turned the pool can come first, and leaves a quarter of the pixels to norm.
        signs = jnp.where(self.bn1.scale[...] < 0, -1.0, 1.0)
        x = self.conv1(pictures, signs)
        scale, offset = self.bn1.coefficients(x, train=train, signs=signs)
        x = jax.lax.platform_dependent(x, cpu=_pooled_by_halves, default=_pooled)
        return relu((x.astype(jnp.float32) * scale + offset).astype(x.dtype))


def _pooled(x: jax.Array) -> jax.Array:
    """Largest of every other 3x3 neighbourhood, (N, H, W, C) to (N, H / 2, W / 2, C)."""
    return nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))


def _pooled_by_halves(x: jax.Array) -> jax.Array:
    """The same as maxima of even and odd rows, then columns: three times as fast on a CPU.

    Its gradient is shared among equal values, which come from equal neighbourhoods of a picture: that of the
    stem's kernel is the same.
    """
    if x.shape[1] % 2 or x.shape[2] % 2:
        return _pooled(x)
    for axis in (1, 2):
        even, odd = (jax.lax.slice_in_dim(x, start, None, 2, axis) for start in (0, 1))
        before = jax.lax.slice_in_dim(odd, 0, odd.shape[axis] - 1, 1, axis)
        later = jax.lax.slice_in_dim(jnp.maximum(even, odd), 1, None, 1, axis)
        start = jax.lax.slice_in_dim(jnp.maximum(even, odd), 0, 1, 1, axis)
        x = jnp.concatenate([start, jnp.maximum(later, before)], axis)
    return x
