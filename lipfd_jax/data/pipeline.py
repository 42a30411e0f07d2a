"""The two Grain pipelines: an endless shuffled one for training, one ordered pass for evaluation."""

from typing import Any

import cv2
import grain
import numpy as np

from lipfd_jax.data import order, records
from lipfd_jax.data.augmentation import OFF, Augment, AugmentationSettings
from lipfd_jax.data.labels import labels
from lipfd_jax.data.sources import RecordSource


def training_batches(
    source: RecordSource,
    *,
    batch_size: int,
    seed: int,
    balance: bool = False,
    augmentation: AugmentationSettings = OFF,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
) -> grain.IterDataset:
    """Returns endless batches, reshuffled every epoch.

    Global batch b holds samples b * batch_size up to (b + 1) * batch_size of one order that depends on the
    seed alone, as does what augmentation makes of the sample at each position: the number of processes and
    threads only says who reads which, and the iterator's state is the number of batches consumed.

    Args:
      source: records by index.
      batch_size: global; each process gets batch_size / process_count samples a batch.
      balance: draw real and fake equally often; an epoch is then that of each class.
      threads: reading threads (they beat worker processes here: decoding releases Python's lock). Each has
        a batch in hand, and each sample of it takes 7.5 MB.
    """
    cv2.setNumThreads(0)  # the reading threads are the parallelism
    drawn = order.balanced(labels(source), seed=seed) if balance else order.shuffled(len(source), seed=seed)
    data = (
        drawn.map(_Read(source))
        .map(records.decode_parts)
        .random_map(Augment(augmentation))
        .map(records.assemble)
    )
    data = data[process_index::process_count]
    # No end, so nothing is dropped; without it Grain's length overflows for batches of one.
    data = data.batch(local_batch(batch_size, process_count), drop_remainder=True)
    return data.to_iter_dataset(_read_options(threads))


def evaluation_batches(
    source: RecordSource,
    *,
    batch_size: int,
    start: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
) -> grain.IterDataset:
    """Returns one ordered pass from record `start` on; nothing is dropped.

    The last batch is filled up with blank samples; `mask` (bool) is False for those. Every process gets
    the same number of batches.
    """
    cv2.setNumThreads(0)
    batches = -(-(len(source) - start) // batch_size)
    data = grain.MapDataset.range(start, start + batches * batch_size).map(_OrBlank(source))
    data = data[process_index::process_count].batch(local_batch(batch_size, process_count))
    return data.to_iter_dataset(_read_options(threads))


class _Read:
    """Reads record i, pictures still coded."""

    def __init__(self, source: RecordSource):
        self.source = source

    def __call__(self, index: int) -> dict[str, Any]:
        return self.source[int(index)]


class _OrBlank:
    """Reads and decodes record i, or gives a blank one past the end, so that all batches are full."""

    def __init__(self, source: RecordSource):
        self.source = source

    def __call__(self, index: int) -> dict[str, Any]:
        inside = index < len(self.source)
        sample = records.decode(self.source[int(index) if inside else 0])
        if not inside:
            sample["composite"] = np.zeros_like(sample["composite"])
        return {**sample, "mask": np.bool_(inside)}


def local_batch(batch_size: int, process_count: int) -> int:
    """Returns the samples of a global batch that fall to one process."""
    if batch_size % process_count:
        raise ValueError(f"batch size {batch_size} does not divide among {process_count} processes")
    return batch_size // process_count


def _read_options(threads: int) -> grain.ReadOptions:
    return grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(threads, 2))
