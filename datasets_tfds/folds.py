"""Splits for cross-validation: every video is tested once, by a model that has met nothing of its source."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from lipfd_jax.listing.clips import Item

_VALIDATION_PARTS = 4  # one of so many parts of what is not tested chooses the checkpoint and its threshold


def folds(items: Sequence[Item], count: int, seed: int = 0) -> list[dict[str, str]]:
    """The splits of `count` folds, {video id: "train" | "validation" | "test"} each.

    All videos of a source are on one side in every fold, and each class is dealt out as evenly as sources
    allow. Fold k's test videos are the k-th part of all; of the rest a quarter is for validation. The same
    items and seed give the same folds, whatever the order of the items.

    Raises:
      ValueError: fewer than two folds, or too few sources of a class for each part to have one.
    """
    if count < 2:
        raise ValueError(f"{count} folds: expected at least 2")
    items = sorted(items, key=lambda item: item.video)
    found = []
    for rest, tested in _parts(items, count, seed):
        train, validation = _parts([items[i] for i in rest], _VALIDATION_PARTS, seed)[0]
        split = {items[i].video: "test" for i in tested}
        split |= {items[rest[i]].video: "train" for i in train}
        found.append(split | {items[rest[i]].video: "validation" for i in validation})
    return found


def _parts(items: Sequence[Item], count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each part: the places of all others, and its own."""
    labels = np.array([item.label for item in items])
    sources = np.array([item.source for item in items])
    for label, name in enumerate(("real", "fake")):
        if (there := len(set(sources[labels == label]))) < count:
            raise ValueError(f"{there} sources of {name} videos can't be dealt out to {count} parts")
    parts = list(StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(items, labels, sources))
    for _, chosen in parts:
        if len(set(labels[chosen])) < 2:
            raise ValueError(f"{count} parts: one would hold one class only, as sources are so uneven")
    return parts
