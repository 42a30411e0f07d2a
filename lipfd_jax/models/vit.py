"""CLIP's image encoder (arXiv 2103.00020): a pre-norm vision transformer that gives one global feature."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.kernels.attention import attention

_small = nnx.initializers.truncated_normal(0.02)
_fan_in = nnx.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")


def quick_gelu(x: jax.Array) -> jax.Array:
    """x * sigmoid(1.702 x), the activation of OpenAI's CLIP weights."""
    return x * jax.nn.sigmoid(1.702 * x)


def gelu(x: jax.Array) -> jax.Array:
    """Exact GELU, the activation of most open_clip weights."""
    return jax.nn.gelu(x, approximate=False)


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {"quick_gelu": quick_gelu, "gelu": gelu}


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an image encoder."""

    patch: int  # side of a patch, pixels
    width: int
    layers: int
    heads: int
    features: int  # width of the global feature


ENCODERS = {
    "vit_l14": EncoderConfig(patch=14, width=1024, layers=24, heads=16, features=768),
    "vit_b16": EncoderConfig(patch=16, width=768, layers=12, heads=12, features=512),
    "vit_b32": EncoderConfig(patch=32, width=768, layers=12, heads=12, features=512),
    "vit_tiny": EncoderConfig(patch=8, width=128, layers=2, heads=4, features=128),  # tests and demo
}


class Attention(nnx.Module):
    """Multi-head self-attention with the three input projections in one."""

    def __init__(self, config: EncoderConfig, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        width = config.width
        self.heads = config.heads
        self.qkv = nnx.Linear(width, 3 * width, dtype=dtype, kernel_init=_fan_in, rngs=rngs)
        self.out = nnx.Linear(width, width, dtype=dtype, kernel_init=_residual(config), rngs=rngs)

    def __call__(self, x: jax.Array, queries: int | None = None) -> jax.Array:
        """Mixes tokens x (B, T, W); with `queries` only the first so many are computed: (B, queries, W)."""
        mixed = attention(*self._projected(x, queries))
        return self.out(mixed.reshape(*mixed.shape[:2], -1))

    def _projected(self, x: jax.Array, queries: int | None) -> list[jax.Array]:
        if queries is None:
            parts = jnp.split(self.qkv(x), 3, axis=-1)
        else:
            width = x.shape[-1]
            kernel, bias = (p.astype(x.dtype) for p in (self.qkv.kernel[...], self.qkv.bias[...]))
            parts = [x[:, :queries] @ kernel[:, :width] + bias[:width]]
            parts += jnp.split(x @ kernel[:, width:] + bias[width:], 2, axis=-1)
        return [part.reshape(*part.shape[:2], self.heads, -1) for part in parts]


class Block(nnx.Module):
    """Attention, then a two-layer MLP, each on normed tokens and added to them."""

    def __init__(
        self, config: EncoderConfig, *, activation: str, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs
    ):
        width = config.width
        self.activation = activation
        self.ln_1 = _norm(width, dtype, rngs)
        self.attention = Attention(config, dtype=dtype, rngs=rngs)
        self.ln_2 = _norm(width, dtype, rngs)
        self.fc = nnx.Linear(width, 4 * width, dtype=dtype, kernel_init=_fan_in, rngs=rngs)
        self.proj = nnx.Linear(4 * width, width, dtype=dtype, kernel_init=_residual(config), rngs=rngs)

    def __call__(self, x: jax.Array, queries: int | None = None) -> jax.Array:
        """Tokens (B, T, W) to (B, T, W), or to the first `queries` of them."""
        x = x[:, :queries] + self.attention(self.ln_1(x), queries)
        return x + self.proj(ACTIVATIONS[self.activation](self.fc(self.ln_2(x))))


class VisionTransformer(nnx.Module):
    """Pictures to one global feature each."""

    def __init__(
        self,
        config: EncoderConfig,
        *,
        image_size: int,
        activation: str = "quick_gelu",
        dtype: jax.typing.DTypeLike = jnp.float32,
        remat: bool = False,
        rngs: nnx.Rngs,
    ):
        """Takes square pictures of `image_size`; `remat` recomputes blocks in the backward pass.

        Raises:
          ValueError: the picture isn't a whole number of patches.
        """
        if image_size % config.patch:
            raise ValueError(f"image size {image_size} must be a multiple of the patch size {config.patch}")
        self.dtype, self.patch, self.remat = dtype, config.patch, remat
        width, tokens = config.width, (image_size // config.patch) ** 2 + 1
        shape = (config.patch, config.patch, 3, width)
        self.patch_embedding = nnx.Param(_patch_init(rngs.params(), shape))
        self.class_embedding = nnx.Param(_small(rngs.params(), (width,)))
        self.position_embedding = nnx.Param(_small(rngs.params(), (tokens, width)))
        self.ln_pre = _norm(width, dtype, rngs)
        blocks = range(config.layers)
        self.blocks = nnx.List(Block(config, activation=activation, dtype=dtype, rngs=rngs) for _ in blocks)
        self.ln_post = _norm(width, dtype, rngs)
        self.projection = nnx.Param(_fan_in(rngs.params(), (width, config.features)))

    def __call__(self, images: jax.Array) -> jax.Array:
        """Pictures (B, S, S, 3) to global features (B, F)."""
        x = self.embed(images)
        for block in self.blocks[:-1]:
            x = _recomputed(block, x) if self.remat else block(x)
        # Only the class token is read from here on: the last block need not compute the others.
        x = self.blocks[-1](x, queries=1)[:, 0]
        return self.ln_post(x) @ self.projection[...].astype(self.dtype)

    def embed(self, images: jax.Array) -> jax.Array:
        """Pictures (B, S, S, 3) to normed tokens (B, 1 + patches, W), the class token first."""
        batch, size, patch = images.shape[0], images.shape[1], self.patch
        grid = size // patch
        patches = images.astype(self.dtype).reshape(batch, grid, patch, grid, patch, 3)
        patches = patches.transpose(0, 1, 3, 2, 4, 5).reshape(batch, grid * grid, -1)
        kernel = self.patch_embedding[...].astype(self.dtype)
        tokens = patches @ kernel.reshape(-1, kernel.shape[-1])
        first = jnp.broadcast_to(self.class_embedding[...].astype(self.dtype), (batch, 1, tokens.shape[-1]))
        tokens = jnp.concatenate([first, tokens], axis=1)
        return self.ln_pre(tokens + self.position_embedding[...].astype(self.dtype))


def _norm(width: int, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs) -> nnx.LayerNorm:
    # Mean and variance in one pass where memory traffic counts; in two where digits do.
    fast = dtype == jnp.bfloat16
    return nnx.LayerNorm(width, epsilon=1e-5, dtype=dtype, use_fast_variance=fast, rngs=rngs)


def _residual(config: EncoderConfig) -> nnx.Initializer:
    """Layers that add to the tokens start smaller the more of them there are, as CLIP does."""
    return nnx.initializers.variance_scaling(1 / (2 * config.layers), "fan_in", "truncated_normal")


def _patch_init(key: jax.Array, shape: tuple[int, int, int, int]) -> jax.Array:
    return _fan_in(key, (shape[0] * shape[1] * shape[2], shape[3])).reshape(shape)


def _recomputed(block: Block, x: jax.Array) -> jax.Array:
    graph, state = nnx.split(block)
    return jax.checkpoint(lambda state, x: nnx.merge(graph, state)(x))(state, x)
