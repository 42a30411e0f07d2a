"""Grain pipelines: endless shuffled batches for training, one ordered pass for evaluation."""

import dataclasses
from typing import Any

import cv2
import grain
import numpy as np

from lipfd_jax.data import order, records
from lipfd_jax.data.augmentation import OFF, Augment, AugmentationSettings
from lipfd_jax.data.corrupt import CorruptRecord, CorruptRecords
from lipfd_jax.data.labels import read_labels
from lipfd_jax.data.sources import RecordReader

_ATTEMPTS = 100  # replacements tried for a corrupt record


def make_training_batches(
    source: RecordReader,
    *,
    batch_size: int,
    seed: int,
    balance: bool = False,
    augmentation: AugmentationSettings = OFF,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
    corrupt: CorruptRecords | None = None,
) -> grain.IterDataset:
    """Returns endless batches, reshuffled every epoch.

    Global batch b holds samples b * batch_size up to (b + 1) * batch_size of one order that depends on the
    seed alone, and so does the augmentation at each position: the number of processes and threads only
    decides which of them reads a sample, and the iterator's state is the number of batches consumed.

    Args:
      source: records by index.
      batch_size: global; each process gets batch_size / process_count samples a batch.
      balance: draw real and fake equally often; an epoch is then that of each class.
      threads: reading threads (faster than worker processes here: decoding releases Python's lock). Each
        holds a batch, of 7.5 MB a sample.
      corrupt: policy for records that can't be read. A skipped one is replaced by another (with `balance` of
        the same class), chosen by seed and position alone. By default the batch of the first one raises,
        and does not count as consumed.

    Raises:
      CorruptRecord: a record can't be read and may not be skipped.
    """
    cv2.setNumThreads(0)  # the reading threads are the parallelism
    corrupt = corrupt or CorruptRecords()
    classes = read_labels(source, corrupt) if balance else np.zeros(len(source), np.int8)
    drawn = (
        order.balance_records(classes, seed=seed)
        if balance
        else order.shuffle_records(len(source), seed=seed)
    )
    data = (
        drawn.map_with_index(_Read(source, classes, seed, corrupt))
        .random_map(Augment(augmentation))
        .map(records.assemble_sample)
    )
    data = data[process_index::process_count]
    # No end, so nothing is dropped; without it Grain's length overflows for batches of one.
    data = data.batch(compute_local_batch(batch_size, process_count), drop_remainder=True)
    return data.to_iter_dataset(_read_options(threads))


def make_evaluation_batches(
    source: RecordReader,
    *,
    batch_size: int,
    start: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
    corrupt: CorruptRecords | None = None,
) -> grain.IterDataset:
    """Returns one ordered pass from record `start` on; nothing is dropped.

    The last batch is padded with blank samples; `mask` (bool) is False for those. Every process gets the same
    number of batches. `corrupt` is the policy for records that can't be read: a skipped one is replaced by a
    blank sample; by default the first one is raised. Each sample also has `index`, the record's number, and
    `reason`, why it was skipped; the video is named as far as known.
    """
    cv2.setNumThreads(0)
    batches = -(-(len(source) - start) // batch_size)
    data = grain.MapDataset.range(start, start + batches * batch_size).map(
        _ReadOrPad(source, corrupt or CorruptRecords())
    )
    data = data[process_index::process_count].batch(compute_local_batch(batch_size, process_count))
    return data.to_iter_dataset(_read_options(threads))


@dataclasses.dataclass(frozen=True)
class _Read:
    """Reads record i for a position of the order, decoded into parts; a corrupt one is replaced."""

    source: RecordReader
    classes: np.ndarray  # (n,); a replacement is of the same class
    seed: int
    corrupt: CorruptRecords

    def __call__(self, position: int, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, position))
        for _ in range(_ATTEMPTS):
            try:
                return records.decode_parts(self.source[int(index)])
            except CorruptRecord as error:
                self.corrupt.note(int(index), error)
                last = error
            index = rng.choice(np.flatnonzero(self.classes == self.classes[index]))
        raise CorruptRecord(f"{_ATTEMPTS} corrupt records in a row; the last: {last}") from last

    def __repr__(self) -> str:  # Grain puts it into the iterator's identity
        return f"_Read({self.source!r})"


@dataclasses.dataclass(frozen=True)
class _ReadOrPad:
    """Reads and decodes record i; blank samples pad the last batch and replace skipped records."""

    source: RecordReader
    corrupt: CorruptRecords

    def __call__(self, index: int) -> dict[str, Any]:
        extra_fields = {"index": np.int64(index), "mask": np.bool_(False), "reason": ""}
        if index >= len(self.source):
            return records.make_blank() | extra_fields
        known: dict[str, Any] = {}
        try:
            record = self.source[int(index)]
            known = records.decode_metadata(record)
            return records.decode_record(record) | extra_fields | {"mask": np.bool_(True)}
        except CorruptRecord as error:
            self.corrupt.note(int(index), error)
            return records.make_blank() | known | extra_fields | {"reason": " ".join(str(error).split())}


def compute_local_batch(batch_size: int, process_count: int) -> int:
    """Returns the number of a global batch's samples of each process."""
    if batch_size % process_count:
        raise ValueError(f"batch size {batch_size} does not divide among {process_count} processes")
    return batch_size // process_count


def _read_options(threads: int) -> grain.ReadOptions:
    return grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(threads, 2))
