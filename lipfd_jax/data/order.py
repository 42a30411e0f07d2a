"""Endless orders of records, each a function of seed and position alone."""

import grain
import numpy as np

_WINDOW = 512  # positions within which the classes are mixed; exactly half of them are real


def shuffle_records(count: int, *, seed: int) -> grain.MapDataset:
    """Returns record numbers: all of them once an epoch, in a new order each epoch."""
    return grain.MapDataset.range(count).seed(seed).shuffle().repeat()


def balance_records(labels: np.ndarray, *, seed: int) -> grain.MapDataset:
    """Returns record numbers, real and fake equally often, whatever their counts.

    Each class has epochs of its own, so that no record is drawn again before all others of its class.
    Of 512 positions (0 to 511, 512 to 1023 and so on) 256 are real, in random places.

    Args:
      labels: (n,) of all records, 0 real and 1 fake; records with other labels are never drawn.

    Raises:
      ValueError: there are records of one class only.
    """
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    if not all(map(len, classes)):
        counts = ", ".join(f"{len(c)} {name}" for c, name in zip(classes, ("real", "fake"), strict=True))
        raise ValueError(
            f"records of one class only ({counts}): can't draw both equally often; set data.balance=False"
        )
    seeds = np.random.SeedSequence(seed).generate_state(3)
    endless = [
        grain.MapDataset.source(numbers).seed(int(own)).shuffle().repeat()
        for numbers, own in zip(classes, seeds, strict=False)
    ]
    mixed = grain.MapDataset.mix(endless)
    # Grain adds the window's number to the seed; halved, so that the sum stays within 32 bits.
    places = grain.experimental.WindowShuffleMapDataset(mixed, window_size=_WINDOW, seed=int(seeds[2]) // 2)
    return places.seed(seed)
