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
    teacher: jax.Array


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


def ranking_losses(logits: jax.Array) -> jax.Array:
    """Softplus(real - forged) of each pair, (n,): logits (2 n,) of a real and a forged window in turn."""
    real, forged = logits.astype(jnp.float32).reshape(-1, 2).T
    return jax.nn.softplus(real - forged)


def ranking_loss(logits: jax.Array) -> jax.Array:
    """Mean of the ranking losses of pairs, of logits (2 n,) of a real and a forged window in turn."""
    return ranking_losses(logits).mean()


def distillation_loss(logits: jax.Array, teacher_logits: jax.Array, temperature: float) -> jax.Array:
    """Mean cross-entropy with the teacher's probabilities, both at a temperature T, times T squared.

    After Hinton, Vinyals and Dean (arXiv 1503.02531, section 2): the factor keeps the gradient's size over
    T, and for large T the loss approaches the squared difference of the logits. That difference itself (Ba
    and Caruana, arXiv 1312.6184) has no bound, so windows of which the teacher is certain, with logits of 10
    and more, would dominate; here the gradient of a logit is at most T.

    Args:
      logits: (B,) float.
      teacher_logits: (B,) float, without gradient.
      temperature: above 0; 1 learns the probabilities as they are.
    """
    targets = jax.nn.sigmoid(teacher_logits.astype(jnp.float32) / temperature)
    softened = logits.astype(jnp.float32) / temperature
    return temperature**2 * optax.sigmoid_binary_cross_entropy(softened, targets).mean()


def total_loss(
    output: Output,
    labels: jax.Array,
    *,
    region_weight: float,
    weights: jax.Array | None = None,
    label_smoothing: float = 0.0,
    rank_weight: float = 0.0,
    teacher_logits: jax.Array | None = None,
    teacher_weight: float = 0.0,
    temperature: float = 1.0,
) -> Losses:
    """Classification loss plus weighted region-awareness, ranking and distillation loss.

    Arguments are those of the parts. The ranking loss is computed where `rank_weight` is above 0: the batch
    then holds pairs. The distillation loss is computed where a teacher's logits are given.
    """
    each = output.member_logits or (output.logits,)  # members learn by themselves
    losses = [bce(logits, labels, weights=weights, label_smoothing=label_smoothing) for logits in each]
    classification = jnp.mean(jnp.stack(losses))
    region = region_awareness_loss(output.region_weights, weights=weights)
    total = classification + region_weight * region
    rank = teacher = jnp.zeros(())
    if rank_weight:
        rank = jnp.mean(jnp.stack([ranking_loss(logits) for logits in each]))
        total += rank_weight * rank
    if teacher_logits is not None:
        teacher = distillation_loss(output.logits, teacher_logits, temperature)
        total += teacher_weight * teacher
    return Losses(total, classification, region, rank, teacher)


def _weighted_mean(values: jax.Array, weights: jax.Array | None) -> jax.Array:
    if weights is None:
        return values.mean()
    weights = weights.astype(values.dtype)
    return (values * weights).sum() / jnp.maximum(weights.sum(), 1e-9)
