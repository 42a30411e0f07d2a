"""Losses: binary cross-entropy on the logit, and the region-awareness loss of the paper (equation 7)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lipfd_jax.models.lipfd import Output


class Losses(NamedTuple):
    """Parts of the training loss, float32 scalars."""

    total: jax.Array
    classification: jax.Array
    region: jax.Array
    rank: jax.Array


def bce(
    logits: jax.Array, labels: jax.Array, *, weights: jax.Array | None = None, label_smoothing: float = 0.0
) -> jax.Array:
    """Mean binary cross-entropy of logits (B,) and labels (B,), 1 for a fake.

    The released training instead applies a softmax loss to the vector of logits, which compares the
    composites of a batch with each other.

    Args:
      logits: (B,) float.
      labels: (B,) 0 or 1, any number type.
      weights: (B,) weight of each example, 0 for padding; all one if None.
      label_smoothing: labels become label * (1 - s) + s / 2.
    """
    logits = logits.astype(jnp.float32)
    # Not optax.smooth_labels: it treats the last axis as classes, which here are samples.
    targets = labels.astype(jnp.float32) * (1 - label_smoothing) + label_smoothing / 2
    return _weighted_mean(optax.sigmoid_binary_cross_entropy(logits, targets), weights)


def region_awareness_loss(region_weights: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """Region-awareness loss 10 / exp(max weight - head weight), the mean over frames and examples.

    It falls from 10 to 6.95 as a small region takes over from the head (the sigmoid before the softmax
    bounds it). The released code sums over the five frames, so its value is five times this one (34.74 to
    50) and dominates the classification loss.

    Args:
      region_weights: (B, 5, 3), weights of head, face and lip.
      weights: (B,) weight of each example; all one if None.
    """
    lead = region_weights.max(-1) - region_weights[..., 0]
    return _weighted_mean((10 * jnp.exp(-lead)).mean(-1), weights)


def ranking_loss(logits: jax.Array) -> jax.Array:
    """Mean of softplus(real - forged) over pairs: logits (2 n,) of a real and a forged window in turn."""
    real, forged = logits.astype(jnp.float32).reshape(-1, 2).T
    return jax.nn.softplus(real - forged).mean()


def total_loss(
    output: Output,
    labels: jax.Array,
    *,
    region_weight: float,
    weights: jax.Array | None = None,
    label_smoothing: float = 0.0,
    rank_weight: float = 0.0,
) -> Losses:
    """Classification loss plus weighted region-awareness and ranking loss; arguments as in the parts.

    The ranking loss is computed where `rank_weight` is above 0: the batch then holds pairs.
    """
    classification = bce(output.logits, labels, weights=weights, label_smoothing=label_smoothing)
    region = region_awareness_loss(output.region_weights, weights=weights)
    total = classification + region_weight * region
    if not rank_weight:
        return Losses(total, classification, region, jnp.zeros(()))
    rank = ranking_loss(output.logits)
    return Losses(total + rank_weight * rank, classification, region, rank)


def _weighted_mean(values: jax.Array, weights: jax.Array | None) -> jax.Array:
    if weights is None:
        return values.mean()
    weights = weights.astype(values.dtype)
    return (values * weights).sum() / jnp.maximum(weights.sum(), 1e-9)
