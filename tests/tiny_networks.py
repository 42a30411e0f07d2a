"""Networks for tests: `mean`, which compiles in seconds, and the smallest one with the real layers.

Importing this module registers the encoder and the backbone `mean` in the tables that ModelConfig reads.
They use the mean colour of a picture, yet have every kind of parameter that training distinguishes: blocks,
of which the last ones can be trained alone, a projection after them, matrices, vectors, batch statistics.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.models.backbones import BACKBONES
from lipfd_jax.models.encoders import ENCODERS
from lipfd_jax.models.frozen_blocks import refuse_frozen_blocks
from lipfd_jax.models.inputs import Inputs
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.models.norm import BatchNorm
from lipfd_jax.models.weight_rules import Rule

WIDTH = 8  # of the features of both


@dataclasses.dataclass(frozen=True)
class MeanEncoderConfig:
    """Sizes of the encoder, see models.encoders.Encoder."""

    patch: int = 1
    layers: int = 2
    features: int = WIDTH

    def build(
        self, image_size: int, *, activation: str, dtype: jax.typing.DTypeLike, remat: bool, rngs: nnx.Rngs
    ) -> "MeanEncoder":
        """Returns the encoder, which ignores image size, activation and rematerialisation."""
        return MeanEncoder(self, dtype=dtype, rngs=rngs)

    def operations(self, side: int) -> tuple[int, int, int]:
        """Returns those of the embedding, one block and attention, for a picture."""
        return 2 * 3 * WIDTH, 2 * WIDTH**2, 0


class MeanEncoder(nnx.Module):
    """Mean colour to one global feature: a matrix, dense blocks that add to it, a projection."""

    def __init__(self, config: MeanEncoderConfig, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        self.embedding = nnx.Linear(3, WIDTH, dtype=dtype, rngs=rngs)
        self.blocks = nnx.List(nnx.Linear(WIDTH, WIDTH, dtype=dtype, rngs=rngs) for _ in range(config.layers))
        self.projection = nnx.Param(jnp.eye(WIDTH))
        self.dtype = dtype

    def __call__(self, images: jax.Array) -> jax.Array:
        """Pictures (B, S, S, 3) to global features (B, WIDTH)."""
        x = self.embedding(_squash(images.mean((1, 2))).astype(self.dtype))
        for block in self.blocks:
            x = x + jnp.tanh(block(x))
        return x @ self.projection[...].astype(self.dtype)


@dataclasses.dataclass(frozen=True)
class MeanBackboneConfig:
    """Sizes of the backbone, see models.backbones.Backbone."""

    features: int = WIDTH
    weights: ClassVar[Mapping[str, tuple[Rule, ...]]] = {}  # no pretrained ones exist

    def build(self, **options: Any) -> "MeanBackbone":
        """Returns the backbone; options as MeanBackbone's."""
        return MeanBackbone(**options)

    def operations(self, side: int) -> tuple[int, int]:
        """Returns those of the first convolution (none) and of the matrix, for a picture."""
        return 0, 2 * 3 * WIDTH


class MeanBackbone(nnx.Module):
    """Mean colour of a crop to its feature: a matrix and a batch norm."""

    def __init__(self, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        self.embedding = nnx.Linear(3, WIDTH, dtype=dtype, rngs=rngs)
        self.norm = BatchNorm(WIDTH)
        self.dtype = dtype

    def __call__(self, pictures: jax.Array, *, train: bool, frozen_blocks: int = 0) -> jax.Array:
        """Pictures (N, S, S, 3) to features (N, WIDTH) float32."""
        refuse_frozen_blocks("the mean colour", frozen_blocks)
        x = self.embedding(_squash(pictures.mean((1, 2), keepdims=True)).astype(self.dtype))
        return jnp.tanh(self.norm(x, train=train))[:, 0, 0].astype(jnp.float32)


def _squash(x: jax.Array) -> jax.Array:
    """Brings values of both input conventions, -2..2 and 0..255, near each other: nothing saturates."""
    return jnp.sign(x) * jnp.log1p(jnp.abs(x))


ENCODERS["mean"] = MeanEncoderConfig()
BACKBONES["mean"] = MeanBackboneConfig()

INPUTS = Inputs("paper", picture_size=80, crop_size=32)
MEAN = ModelConfig("mean", "mean", INPUTS)
TINY = ModelConfig("vit_tiny", "resnet_tiny", INPUTS)  # half a minute of a core to compile for training
