"""Optimizer: the filter of trained parameters, the learning rate and AdamW."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from lipfd_jax.training.config import OptimizerSettings

ENCODER = "encoder"
HEADS = ("fc", "get_weight")  # the classifier and the region weights
LATE = ("ln_post", "projection")  # parts of the image encoder after its blocks


def make_trained_filter(settings: OptimizerSettings, layers: int) -> Callable[[tuple, Any], bool]:
    """Returns the filter of trained parameters.

    Everything outside the encoder is trained, but for a backbone's `frozen_blocks`; of the encoder the last
    `trained_blocks` of its `layers` blocks and what follows them, or all of it (-1). Other parameters have
    neither gradient nor optimizer state.
    """
    if settings.trained_blocks > layers:
        raise ValueError(
            f"optimizer.trained_blocks={settings.trained_blocks}: the encoder has {layers} blocks"
        )

    def wanted(path: tuple, value: Any) -> bool:
        if not (isinstance(value, nnx.Param) or getattr(value, "type", None) is nnx.Param):
            return False
        if _is_in_frozen_blocks(path, settings.frozen_blocks):
            return False
        if path[0] != ENCODER or settings.trained_blocks < 0:
            return True
        if settings.trained_blocks == 0:
            return False
        block = next((key for key in path if isinstance(key, int)), None)
        return path[1] in LATE if block is None else block >= layers - settings.trained_blocks

    return wanted


def _is_in_frozen_blocks(path: tuple, frozen_blocks: int) -> bool:
    """Whether a parameter is in the stem or the first blocks of a backbone of which those are frozen."""
    part = path[2:] if path[0] == "members" else path
    if not frozen_blocks or part[0] != "backbone":
        return False
    return part[1] in ("stem", "stem_norm") or (part[1] == "blocks" and part[2] < frozen_blocks)


def make_schedule(settings: OptimizerSettings, steps: int) -> optax.Schedule:
    """Returns the learning rate by step: linear warm-up, then cosine down to final_factor of the peak."""
    warmup = min(settings.warmup_steps, max(steps - 1, 0))
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0 if warmup else settings.learning_rate,
        peak_value=settings.learning_rate,
        warmup_steps=warmup,
        decay_steps=steps,
        end_value=settings.learning_rate * settings.final_factor,
    )


def make_optimizer(settings: OptimizerSettings, steps: int) -> optax.GradientTransformation:
    """Returns AdamW with clipping, decay on matrices only, and a slower encoder."""
    clip = optax.clip_by_global_norm(settings.clip_norm) if settings.clip_norm else optax.identity()
    heads = optax.masked(optax.scale(settings.head_factor), _mark_heads)
    return optax.chain(
        clip,
        optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8),
        optax.add_decayed_weights(settings.weight_decay, mask=_mark_matrices),
        optax.masked(optax.scale(settings.encoder_factor), _mark_encoder),
        *([heads] if settings.head_factor != 1 else []),  # older runs have no state of it
        optax.scale_by_learning_rate(make_schedule(settings, steps)),
    )


def _mark_matrices(parameters: Any) -> Any:
    """Marks the parameters with weight decay: matrices; norms and biases are vectors."""
    return jax.tree.map(lambda p: jnp.ndim(p) > 1, parameters)


def _mark_encoder(parameters: Any) -> Any:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: getattr(path[0], "key", None) == ENCODER, parameters
    )


def _mark_heads(parameters: Any) -> Any:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: any(getattr(part, "key", None) in HEADS for part in path), parameters
    )
