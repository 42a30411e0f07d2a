"""ConvNeXt backbones (arXiv 2201.03545): images to pooled features."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.kernels.chunks import map_chunks
from lipfd_jax.models.frozen_blocks import refuse_frozen_blocks
from lipfd_jax.models.weight_rules import CONV, LINEAR, Rule, affine_rules, norm_rules, with_prefixes

_small = nnx.initializers.truncated_normal(0.02)

_BLOCK = (
    *affine_rules(r"(\d+)\.block\.0", r"\1/depthwise", CONV),
    *norm_rules(r"(\d+)\.block\.2", r"\1/norm"),
    *affine_rules(r"(\d+)\.block\.3", r"\1/expand", LINEAR),
    *affine_rules(r"(\d+)\.block\.5", r"\1/project", LINEAR),
    Rule(r"(\d+)\.layer_scale", r"\1/layer_scale", (1, 2, 0)),
)
# torchvision's convnext_*: stages alternate with downsampling steps. The ImageNet classifier is skipped.
TORCHVISION = (
    *affine_rules(r"features\.0\.0", "stem", CONV),
    *norm_rules(r"features\.0\.1", "stem_norm"),
    *(rule for i in range(4) for rule in with_prefixes(_BLOCK, rf"features\.{2 * i + 1}\.", f"stages/{i}/")),
    *(rule for i in range(3) for rule in norm_rules(rf"features\.{2 * i + 2}\.0", f"steps/{i}/norm")),
    *(rule for i in range(3) for rule in affine_rules(rf"features\.{2 * i + 2}\.1", f"steps/{i}/conv", CONV)),
    *norm_rules(r"classifier\.0", "norm"),
    Rule(r"classifier\.2\.(weight|bias)", None),
)


@dataclasses.dataclass(frozen=True)
class ConvNeXtConfig:
    """Sizes of a ConvNeXt; a models.backbones.Backbone."""

    depths: tuple[int, int, int, int]  # blocks per stage
    widths: tuple[int, int, int, int]  # channels per stage

    weights: ClassVar = {r"features\.1\.0\.layer_scale": TORCHVISION}  # by a key that only such files have

    @property
    def features(self) -> int:
        """Width of the pooled feature."""
        return self.widths[-1]

    def build(self, **options: Any) -> "ConvNeXt":
        """Builds the backbone; options as for ConvNeXt."""
        return ConvNeXt(self, **options)

    def count_flops(self, side: int) -> tuple[int, int]:
        """Returns FLOPs per image of the first convolution and of all others."""
        side //= 4
        stem, others = side**2 * 16 * 3 * self.widths[0], 0
        for stage, (depth, width) in enumerate(zip(self.depths, self.widths, strict=True)):
            if stage:
                side //= 2
                others += side**2 * 4 * self.widths[stage - 1] * width
            others += depth * side**2 * (49 * width + 8 * width**2)
        return 2 * stem, 2 * others


class Block(nnx.Module):
    """Depthwise 7x7 convolution, then a two-layer MLP on normalised pixels; added to the input."""

    def __init__(self, width: int, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        options: dict[str, Any] = {"kernel_init": _small, "dtype": dtype, "rngs": rngs}
        self.depthwise = nnx.Conv(width, width, (7, 7), padding=3, feature_group_count=width, **options)
        self.norm = _make_layer_norm(width, dtype, rngs)
        self.expand = nnx.Linear(width, 4 * width, **options)
        self.project = nnx.Linear(4 * width, width, **options)
        self.layer_scale = nnx.Param(jnp.full((1, 1, width), 1e-6))

    def __call__(self, x: jax.Array) -> jax.Array:
        """(N, H, W, width) to the same shape."""
        y = self.expand(self.norm(self.depthwise(x)))
        y = self.project(jax.nn.gelu(y, approximate=False))
        return x + self.layer_scale[...].astype(y.dtype) * y


class Step(nnx.Module):
    """Downsampling between stages: a norm, then a 2x2 convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        options: dict[str, Any] = {"kernel_init": _small, "dtype": dtype, "rngs": rngs}
        self.norm = _make_layer_norm(inputs, dtype, rngs)
        self.conv = nnx.Conv(inputs, outputs, (2, 2), strides=2, padding="VALID", **options)

    def __call__(self, x: jax.Array) -> jax.Array:
        """(N, H, W, inputs) to (N, H / 2, W / 2, outputs)."""
        return self.conv(self.norm(x))


class ConvNeXt(nnx.Module):
    """Images to pooled, normalised features, without a classifier.

    Training does not drop blocks (stochastic depth, up to 0.1 in torchvision): few epochs do not need it.
    """

    def __init__(self, config: ConvNeXtConfig, *, dtype: jax.typing.DTypeLike = jnp.float32, rngs: nnx.Rngs):
        options: dict[str, Any] = {"dtype": dtype, "rngs": rngs}
        first = config.widths[0]
        self.dtype = dtype
        self.stem = nnx.Conv(3, first, (4, 4), strides=4, padding="VALID", kernel_init=_small, **options)
        self.stem_norm = _make_layer_norm(first, dtype, rngs)
        sizes = zip(config.depths, config.widths, strict=True)
        self.stages = nnx.List(nnx.List(Block(n, **options) for _ in range(depth)) for depth, n in sizes)
        pairs = zip(config.widths, config.widths[1:], strict=False)
        self.steps = nnx.List(Step(*pair, **options) for pair in pairs)
        self.norm = _make_layer_norm(config.features, jnp.float32, rngs)

    def __call__(self, images: jax.Array, *, train: bool, frozen_blocks: int = 0) -> jax.Array:
        """Images (N, S, S, 3) to features (N, F) float32; `train` has no effect, `frozen_blocks` is 0."""
        refuse_frozen_blocks("a ConvNeXt", frozen_blocks)
        return map_chunks(self._compute_features, images, "crops")

    def _compute_features(self, images: jax.Array) -> jax.Array:
        x = self.stem_norm(self.stem(images.astype(self.dtype)))
        for number, stage in enumerate(self.stages):
            x = self.steps[number - 1](x) if number else x
            for block in stage:
                x = block(x)
        return self.norm(x.astype(jnp.float32).mean((1, 2)))


def _make_layer_norm(width: int, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs) -> nnx.LayerNorm:
    return nnx.LayerNorm(width, epsilon=1e-6, dtype=dtype, use_fast_variance=False, rngs=rngs)
