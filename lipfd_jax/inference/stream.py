"""Scores a stream of composites in full batches while the next ones are made."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

_Item = TypeVar("_Item")


def score_stream(
    score: Callable[[np.ndarray], np.ndarray], items: Iterable[tuple[_Item, np.ndarray]], batch_size: int
) -> Iterator[tuple[_Item, np.ndarray]]:
    """Scores items of any number of composites, joined so that the batches are full.

    Args:
      score: composites (B, 1000, 2500, 3) uint8 to probabilities (B,); is called with multiples of
        `batch_size`, and at the end with the rest.
      items: anything and its composites (n, 1000, 2500, 3) uint8; n may be 0.

    Yields:
      The items in order, each with its probabilities (n,), as soon as they are there.
    """
    waiting: deque[tuple[_Item, int]] = deque()
    composites: list[np.ndarray] = []  # not yet scored
    scores = np.zeros(0, np.float32)  # scores of the items that wait
    for item, own in items:
        waiting.append((item, len(own)))
        composites.append(own)
        if (full := sum(map(len, composites)) // batch_size * batch_size) > 0:
            joined = np.concatenate(composites) if len(composites) > 1 else own
            composites = [joined[full:]]
            scores = np.concatenate([scores, score(joined[:full])])
        while waiting and waiting[0][1] <= len(scores):
            item, count = waiting.popleft()
            yield item, scores[:count]
            scores = scores[count:]
    if rest := [part for part in composites if len(part)]:
        scores = np.concatenate([scores, score(np.concatenate(rest))])
    for item, count in waiting:
        yield item, scores[:count]
        scores = scores[count:]
