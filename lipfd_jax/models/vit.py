"""CLIP's image encoder (arXiv 2103.00020): a pre-norm vision transformer that outputs one global feature."""

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import nnx

from lipfd_jax.kernels.attention import attention
from lipfd_jax.kernels.dense import dense, dot_general
from lipfd_jax.models.weight_rules import CONV, LINEAR, Rule, affine_rules, norm_rules

_small = nnx.initializers.truncated_normal(0.02)
_fan_in = nnx.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")


def quick_gelu(x: jax.Array) -> jax.Array:
    """x * sigmoid(1.702 x), the activation of OpenAI's CLIP weights."""
    return x * jax.nn.sigmoid(1.702 * x)


def gelu(x: jax.Array) -> jax.Array:
    """Exact GELU, the activation of most open_clip weights."""
    return jax.nn.gelu(x, approximate=False)


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {"quick_gelu": quick_gelu, "gelu": gelu}


_BLOCK = r"visual\.transformer\.resblocks\.(\d+)\."

# CLIP, as named by OpenAI and open_clip.
OPEN_CLIP = (
    Rule(r"visual\.conv1\.weight", "patch_embedding", CONV),
    Rule(r"visual\.class_embedding", "class_embedding"),
    Rule(r"visual\.positional_embedding", "position_embedding"),
    *norm_rules(r"visual\.ln_pre", "ln_pre"),
    *norm_rules(_BLOCK + "ln_1", r"blocks/\1/ln_1"),
    Rule(_BLOCK + r"attn\.in_proj_weight", r"blocks/\1/attention/qkv/kernel", LINEAR),
    Rule(_BLOCK + r"attn\.in_proj_bias", r"blocks/\1/attention/qkv/bias"),
    *affine_rules(_BLOCK + r"attn\.out_proj", r"blocks/\1/attention/out", LINEAR),
    *norm_rules(_BLOCK + "ln_2", r"blocks/\1/ln_2"),
    *affine_rules(_BLOCK + r"mlp\.c_fc", r"blocks/\1/fc", LINEAR),
    *affine_rules(_BLOCK + r"mlp\.c_proj", r"blocks/\1/proj", LINEAR),
    *norm_rules(r"visual\.ln_post", "ln_post"),
    Rule(r"visual\.proj", "projection"),
    # CLIP's text encoder.
    Rule(r"(positional_embedding|text_projection|logit_scale|logit_bias|attn_mask)", None),
    Rule(r"(input_resolution|context_length|vocab_size)", None),  # scalars in OpenAI's archives
    Rule(r"(token_embedding|ln_final|transformer\.resblocks\.\d+)\..*", None),
)

_LAYER = r"vision_model\.encoder\.layers\.(\d+)\."

# CLIP, as named by HuggingFace transformers (openai/clip-vit-*).
HUGGINGFACE_CLIP = (
    Rule(r"vision_model\.embeddings\.patch_embedding\.weight", "patch_embedding", CONV),
    Rule(r"vision_model\.embeddings\.class_embedding", "class_embedding"),
    Rule(r"vision_model\.embeddings\.position_embedding\.weight", "position_embedding"),
    *norm_rules(r"vision_model\.pre_layrnorm", "ln_pre"),  # spelt so by transformers
    *norm_rules(_LAYER + "layer_norm1", r"blocks/\1/ln_1"),
    *affine_rules(_LAYER + r"self_attn\.q_proj", r"blocks/\1/attention/qkv", LINEAR, part=(0, 3)),
    *affine_rules(_LAYER + r"self_attn\.k_proj", r"blocks/\1/attention/qkv", LINEAR, part=(1, 3)),
    *affine_rules(_LAYER + r"self_attn\.v_proj", r"blocks/\1/attention/qkv", LINEAR, part=(2, 3)),
    *affine_rules(_LAYER + r"self_attn\.out_proj", r"blocks/\1/attention/out", LINEAR),
    *norm_rules(_LAYER + "layer_norm2", r"blocks/\1/ln_2"),
    *affine_rules(_LAYER + r"mlp\.fc1", r"blocks/\1/fc", LINEAR),
    *affine_rules(_LAYER + r"mlp\.fc2", r"blocks/\1/proj", LINEAR),
    *norm_rules(r"vision_model\.post_layernorm", "ln_post"),
    Rule(r"visual_projection\.weight", "projection", LINEAR),
    Rule(r"vision_model\.embeddings\.position_ids", None),
    Rule(r"(text_model\..*|text_projection\.weight|logit_scale)", None),
)

# CLIP's image encoder, as named by timm (vit_*_clip_*). Its head is CLIP's projection.
TIMM_CLIP = (
    Rule(r"cls_token", "class_embedding"),
    Rule(r"pos_embed", "position_embedding"),
    Rule(r"patch_embed\.proj\.weight", "patch_embedding", CONV),
    *norm_rules("norm_pre", "ln_pre"),
    *norm_rules(r"blocks\.(\d+)\.norm1", r"blocks/\1/ln_1"),
    *affine_rules(r"blocks\.(\d+)\.attn\.qkv", r"blocks/\1/attention/qkv", LINEAR),
    *affine_rules(r"blocks\.(\d+)\.attn\.proj", r"blocks/\1/attention/out", LINEAR),
    *norm_rules(r"blocks\.(\d+)\.norm2", r"blocks/\1/ln_2"),
    *affine_rules(r"blocks\.(\d+)\.mlp\.fc1", r"blocks/\1/fc", LINEAR),
    *affine_rules(r"blocks\.(\d+)\.mlp\.fc2", r"blocks/\1/proj", LINEAR),
    *norm_rules("norm", "ln_post"),
    Rule(r"head\.weight", "projection", LINEAR),
    Rule(r"head\.bias", None),  # zeros
)


@dataclasses.dataclass(frozen=True)
class ViTConfig:
    """Sizes of CLIP's image encoder; a models.encoders.Encoder."""

    patch: int  # side of a patch, pixels
    width: int
    layers: int
    heads: int
    features: int  # width of the global feature

    def build(self, image_size: int, **options: Any) -> "VisionTransformer":
        """Builds the encoder for square images; options as for VisionTransformer."""
        return VisionTransformer(self, image_size=image_size, **options)

    def count_flops(self, side: int) -> tuple[int, int, int]:
        """Returns FLOPs per image: patch embedding; one block's matrices (qkv, out, MLP); its attention
        products.
        """
        patches = (side // self.patch) ** 2
        tokens = patches + 1
        embedding = 2 * patches * self.patch**2 * 3 * self.width
        return embedding, 2 * tokens * 12 * self.width**2, 2 * tokens**2 * 2 * self.width


class Attention(nnx.Module):
    """Multi-head self-attention with one matrix for the three input projections."""

    def __init__(self, config: ViTConfig, *, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        width = config.width
        self.heads = config.heads
        self.qkv = _make_linear(width, 3 * width, dtype, _fan_in, rngs)
        self.out = _make_linear(width, width, dtype, _residual_init(config), rngs)

    def __call__(self, x: jax.Array, queries: int | None = None) -> jax.Array:
        """Mixes tokens x (B, T, W); with `queries`, only for the first that many tokens: (B, queries, W)."""
        mixed = attention(*self._project(x, queries))
        return self.out(mixed.reshape(*mixed.shape[:2], -1))

    def _project(self, x: jax.Array, queries: int | None) -> list[jax.Array]:
        if queries is None:
            parts = jnp.split(self.qkv(x), 3, axis=-1)
        else:
            width = x.shape[-1]
            kernel, bias = (cast(nnx.Param, p)[...].astype(x.dtype) for p in (self.qkv.kernel, self.qkv.bias))
            parts = [dense(x[:, :queries], kernel[:, :width]) + bias[:width]]
            parts += jnp.split(dense(x, kernel[:, width:]) + bias[width:], 2, axis=-1)
        return [part.reshape(*part.shape[:2], self.heads, -1) for part in parts]


class Block(nnx.Module):
    """Attention, then a two-layer MLP, each applied to normalised tokens and added to them."""

    def __init__(self, config: ViTConfig, *, activation: str, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs):
        width = config.width
        self.activation = activation
        self.ln_1 = _make_layer_norm(width, dtype, rngs)
        self.attention = Attention(config, dtype=dtype, rngs=rngs)
        self.ln_2 = _make_layer_norm(width, dtype, rngs)
        self.fc = _make_linear(width, 4 * width, dtype, _fan_in, rngs)
        self.proj = _make_linear(4 * width, width, dtype, _residual_init(config), rngs)

    def __call__(self, x: jax.Array, queries: int | None = None) -> jax.Array:
        """Tokens (B, T, W) to (B, T, W), or to the first `queries` of them."""
        x = x[:, :queries] + self.attention(self.ln_1(x), queries)
        return x + self.proj(ACTIVATIONS[self.activation](self.fc(self.ln_2(x))))


class VisionTransformer(nnx.Module):
    """Images to one global feature each."""

    def __init__(
        self,
        config: ViTConfig,
        *,
        image_size: int,
        activation: str = "quick_gelu",
        dtype: jax.typing.DTypeLike = jnp.float32,
        remat: bool = False,
        rngs: nnx.Rngs,
    ):
        """Takes square images of `image_size`; `remat` recomputes blocks in the backward pass.

        Raises:
          ValueError: the image size is not a multiple of the patch size.
        """
        if image_size % config.patch:
            raise ValueError(f"image size {image_size} must be a multiple of the patch size {config.patch}")
        self.dtype, self.patch, self.remat = dtype, config.patch, remat
        width, tokens = config.width, (image_size // config.patch) ** 2 + 1
        shape = (config.patch, config.patch, 3, width)
        self.patch_embedding = nnx.Param(_patch_init(rngs.params(), shape))
        self.class_embedding = nnx.Param(_small(rngs.params(), (width,)))
        self.position_embedding = nnx.Param(_small(rngs.params(), (tokens, width)))
        self.ln_pre = _make_layer_norm(width, dtype, rngs)
        blocks = range(config.layers)
        self.blocks = nnx.List(Block(config, activation=activation, dtype=dtype, rngs=rngs) for _ in blocks)
        self.ln_post = _make_layer_norm(width, dtype, rngs)
        self.projection = nnx.Param(_fan_in(rngs.params(), (width, config.features)))

    def __call__(self, images: jax.Array) -> jax.Array:
        """Images (B, S, S, 3) to global features (B, F)."""
        x = self.embed(images)
        for block in self.blocks[:-1]:
            x = _recompute(block, x) if self.remat else block(x)
        # Only the class token is used from here on, so the last block computes no other.
        x = self.blocks[-1](x, queries=1)[:, 0]
        return self.ln_post(x) @ self.projection[...].astype(self.dtype)

    def embed(self, images: jax.Array) -> jax.Array:
        """Images (B, S, S, 3) to normalised tokens (B, 1 + patches, W), the class token first."""
        batch, size, patch = images.shape[0], images.shape[1], self.patch
        grid = size // patch
        patches = images.astype(self.dtype).reshape(batch, grid, patch, grid, patch, 3)
        patches = patches.transpose(0, 1, 3, 2, 4, 5).reshape(batch, grid * grid, -1)
        kernel = self.patch_embedding[...].astype(self.dtype)
        tokens = dense(patches, kernel.reshape(-1, kernel.shape[-1]))
        first = jnp.broadcast_to(self.class_embedding[...].astype(self.dtype), (batch, 1, tokens.shape[-1]))
        tokens = jnp.concatenate([first, tokens], axis=1)
        return self.ln_pre(tokens + self.position_embedding[...].astype(self.dtype))


def _make_linear(
    inputs: int, outputs: int, dtype: jax.typing.DTypeLike, init: nnx.Initializer, rngs: nnx.Rngs
) -> nnx.Linear:
    return nnx.Linear(inputs, outputs, dtype=dtype, kernel_init=init, dot_general=dot_general, rngs=rngs)


def _make_layer_norm(width: int, dtype: jax.typing.DTypeLike, rngs: nnx.Rngs) -> nnx.LayerNorm:
    # One pass over the tokens if memory traffic matters (bfloat16); two for full accuracy (float32).
    fast = dtype == jnp.bfloat16
    return nnx.LayerNorm(width, epsilon=1e-5, dtype=dtype, use_fast_variance=fast, rngs=rngs)


def _residual_init(config: ViTConfig) -> nnx.Initializer:
    """Initialises layers that add to the tokens, smaller the more layers there are, as CLIP does."""
    return nnx.initializers.variance_scaling(1 / (2 * config.layers), "fan_in", "truncated_normal")


def _patch_init(key: jax.Array, shape: tuple[int, int, int, int]) -> jax.Array:
    return _fan_in(key, (shape[0] * shape[1] * shape[2], shape[3])).reshape(shape)


def _recompute(block: Block, x: jax.Array) -> jax.Array:
    graph, state = nnx.split(block)
    return jax.checkpoint(lambda state, x: nnx.merge(graph, state)(x))(state, x)
