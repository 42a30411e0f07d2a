"""Ranking loss and number of pairs by kind: summed in the step, averaged between two lines of the log."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp

from lipfd_jax.data.pairs import KINDS
from lipfd_jax.models.losses import ranking_losses

_SUM, _COUNT = "rank_sum_", "pairs_"  # prefixes of the step's measurements


def sum_by_kind(logits: jax.Array, kinds: jax.Array, wanted: Iterable[str]) -> dict[str, jax.Array]:
    """Sums of the ranking loss and numbers of pairs, float32 scalars, by kind. Runs inside jit.

    Args:
      logits: (2 n,) of a real and a forged window in turn.
      kinds: (2 n,) index in KINDS of each window's pair.
      wanted: names of the kinds that are drawn.
    """
    each = ranking_losses(logits)
    found: dict[str, jax.Array] = {}
    for name in wanted:
        chosen = (kinds[::2] == KINDS.index(name)).astype(jnp.float32)
        found |= {f"{_SUM}{name}": (each * chosen).sum(), f"{_COUNT}{name}": chosen.sum()}
    return found


class KindLosses:
    """Ranking loss by kind over the steps since the last line of the log; empty without pairs."""

    def __init__(self) -> None:
        self._totals: defaultdict[str, float] = defaultdict(float)

    def add(self, measured: Mapping[str, float]) -> dict[str, float]:
        """Adds the sums of a step's measurements; returns its other measurements."""
        sums = {name: value for name, value in measured.items() if name.startswith((_SUM, _COUNT))}
        for name, value in sums.items():
            self._totals[name] += value
        return {name: value for name, value in measured.items() if name not in sums}

    def read(self) -> dict[str, float]:
        """Returns rank_KIND, the mean over its pairs, and pairs_KIND, their number; starts anew."""
        found: dict[str, float] = {}
        for name in KINDS:
            if count := self._totals[f"{_COUNT}{name}"]:
                found |= {f"rank_{name}": self._totals[f"{_SUM}{name}"] / count, f"pairs_{name}": count}
        self._totals.clear()
        return found
