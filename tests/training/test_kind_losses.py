"""Ranking loss by kind of pair: summed in the step, averaged between two lines of the log."""

import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.data.pairs import KINDS
from lipfd_jax.training.kind_losses import KindLosses, sum_by_kind


def _measure(logits, *kinds):
    numbers = jnp.array([KINDS.index(kind) for kind in kinds for _ in range(2)])
    found = sum_by_kind(jnp.array(logits), numbers, ("twins", "pseudo"))
    return {name: float(value) for name, value in found.items()}


def test_kinds_are_averaged_over_steps_and_absent_ones_left_out():
    log = KindLosses()
    first = {"loss": 1.0, **_measure([0.0, 2.0, 1.0, 1.0], "twins", "twins")}
    assert log.add(first) == {"loss": 1.0}
    assert log.add(_measure([0.0, 0.0], "twins")) == {}
    found = log.read()
    expected = np.mean([np.log1p(np.exp(-2)), np.log(2), np.log(2)])
    assert found == {"rank_twins": pytest.approx(expected, rel=1e-5), "pairs_twins": 3}
    assert log.read() == {}
