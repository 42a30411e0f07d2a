"""Losses against their formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.models import losses
from lipfd_jax.models.lipfd import Output

LOGITS = jnp.array([-2.0, 0.5, 3.0, 40.0])
LABELS = jnp.array([0, 1, 0, 1])


def expected_bce(logits, labels):
    p = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    return -(labels * np.log(p) + (1 - labels) * np.log1p(-np.minimum(p, 1 - 1e-16)))


def test_bce_is_the_mean():
    assert losses.bce(LOGITS, LABELS) == pytest.approx(
        expected_bce(LOGITS, np.array(LABELS)).mean(), rel=1e-5
    )


def test_smoothing_moves_the_labels():
    smooth = 0.9 * np.array([0, 1]) + 0.05
    found = losses.bce(LOGITS[:2], LABELS[:2], label_smoothing=0.1)
    assert found == pytest.approx(expected_bce(LOGITS[:2], smooth).mean(), rel=1e-5)


def test_padding_does_not_count():
    weights = jnp.array([True, True, False, False])
    assert losses.bce(LOGITS, LABELS, weights=weights) == pytest.approx(losses.bce(LOGITS[:2], LABELS[:2]))
    assert losses.bce(LOGITS, LABELS, weights=jnp.zeros(4)) == 0


def test_region_awareness_over_frames():
    even = jnp.full((2, 5, 3), 1 / 3)
    assert losses.region_awareness_loss(even) == pytest.approx(10)
    head = jnp.broadcast_to(jnp.array([0.6, 0.3, 0.1]), (1, 5, 3))
    assert losses.region_awareness_loss(head) == pytest.approx(10)
    lip = jnp.broadcast_to(jnp.array([0.1, 0.3, 0.6]), (1, 5, 3))
    assert losses.region_awareness_loss(lip) == pytest.approx(10 / np.exp(0.5))
    both = jnp.concatenate([head, lip])
    assert losses.region_awareness_loss(both, weights=jnp.array([0, 1])) == pytest.approx(10 / np.exp(0.5))


def test_region_awareness_has_the_known_bounds():
    gates = jnp.array([[[0.0, 1.0, 0.0]] * 5])  # the sigmoid's limits before the softmax
    shares = jnp.exp(gates) / jnp.exp(gates).sum(-1, keepdims=True)
    assert 5 * losses.region_awareness_loss(shares) == pytest.approx(34.74, abs=0.01)  # summed, as released


def test_total_adds_the_parts():
    output = Output(LOGITS, jnp.full((4, 5, 3), 1 / 3), jnp.zeros((4, 8)))
    found = losses.total_loss(output, LABELS, region_weight=0.01)
    assert found.total == pytest.approx(found.classification + 0.1)
    assert found.region == pytest.approx(10)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_cross_entropy_with_softened_probabilities(temperature):
    teacher = np.array([1.0, -3.0, 0.0, 12.0])
    target = 1 / (1 + np.exp(-teacher / temperature))
    expected = temperature**2 * expected_bce(np.array(LOGITS) / temperature, target).mean()
    found = losses.distillation_loss(LOGITS, jnp.array(teacher), temperature)
    assert found == pytest.approx(expected, rel=1e-5)


def test_distillation_ends_where_the_logits_agree():
    gradient = jax.grad(lambda logits: losses.distillation_loss(logits, LOGITS, 2.0))
    np.testing.assert_allclose(gradient(LOGITS), 0, atol=1e-6)
    assert np.abs(gradient(LOGITS + 100)).max() <= 2 / 4  # T over the number of samples


def test_ranking_losses_are_of_pairs():
    found = losses.ranking_losses(jnp.array([0.0, 2.0, 1.0, 1.0]))
    np.testing.assert_allclose(found, [np.log1p(np.exp(-2)), np.log(2)], rtol=1e-6)
    assert losses.ranking_loss(jnp.array([0.0, 2.0, 1.0, 1.0])) == pytest.approx(found.mean())
