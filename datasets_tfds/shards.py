"""Shards: assigns videos to shards and writes each shard one record at a time, here or on Apache Beam.

TFDS's own writers keep a gigabyte in memory, need TensorFlow beyond that, and on Beam move every record
through a shuffle that has been observed to lose some. Here a shard is a list of videos that depends on input
and settings alone, so its bytes are the same on any runner. Grain reads in any order, so records need no
shuffling.
"""

import contextlib
import dataclasses
import errno
import hashlib
import itertools
import json
import os
import pathlib
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters

from datasets_tfds import resume
from datasets_tfds.build_settings import BuildSettings
from datasets_tfds.resume import VideoOutcome
from lipfd_jax.listing.clips import ClipError, Item
from lipfd_jax.vocabulary import SPLITS

if TYPE_CHECKING:
    import apache_beam as beam

_DISK_FULL = 1 << 20  # free bytes below which a failed write counts as a full disk

Produce = Callable[[Item], tuple[VideoOutcome, Iterable[bytes]]]


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records, before it is written."""

    split: str
    index: int  # within its split
    path: str  # file path
    items: tuple[Item, ...]


@dataclasses.dataclass(frozen=True)
class WrittenShard:
    """One file of records, after it was written."""

    split: str
    index: int
    records: int
    bytes: int  # size of the records; the file is a little larger
    outcomes: tuple[VideoOutcome, ...]


def plan_shards(
    items: Iterable[Item], splits: Mapping[str, str], settings: BuildSettings, folder: str
) -> list[Shard]:
    """Assigns the videos of each split to shards, in an order drawn from the salt.

    Videos without a split are left out. A shard has at most `settings.videos_per_shard` videos.
    """
    ordered = sorted(
        (item for item in items if item.video in splits), key=lambda item: _draw_order(item, settings)
    )
    shards = []
    for split in SPLITS:
        members = [item for item in ordered if splits[item.video] == split]
        for index, start in enumerate(range(0, len(members), settings.videos_per_shard)):
            batch = tuple(members[start : start + settings.videos_per_shard])
            shards.append(Shard(split, index, str(_temporary_path(folder, split, index)), batch))
    return shards


def _draw_order(item: Item, settings: BuildSettings) -> bytes:
    return hashlib.sha256(f"{settings.salt}/order:{item.video}".encode()).digest()


def _temporary_path(folder: str, split: str, index: int) -> pathlib.Path:
    """Path of a shard until the number of shards that hold a record is known."""
    return pathlib.Path(folder) / f"{split}.shard-{index:05d}"


def write_shard(shard: Shard, produce: Produce, file_format: str) -> WrittenShard:
    """Writes one shard, with the records of one video in memory at a time."""
    outcomes: list[VideoOutcome] = []
    keyed = _produce_keyed(shard, produce, outcomes)
    first = next(keyed, None)
    if first is not None:  # a shard without a record gets no file
        adapter = file_adapters.ADAPTER_FOR_FORMAT[file_adapters.FileFormat.from_value(file_format)]
        with _convert_disk_errors(shard.path):
            adapter.write_examples(shard.path, itertools.chain([first], keyed))
    count = sum(len(outcome.keys) for outcome in outcomes)
    return WrittenShard(shard.split, shard.index, count, sum(o.bytes for o in outcomes), tuple(outcomes))


@contextlib.contextmanager
def _convert_disk_errors(path: str) -> Iterator[None]:
    """Raises OSError where a write fails on a full disk, for which array_record has an error of its own."""
    try:
        yield
    except (OSError, ClipError):
        raise
    except Exception as error:
        if shutil.disk_usage(pathlib.Path(path).parent).free < _DISK_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path) from error
        raise


def _produce_keyed(
    shard: Shard, produce: Produce, outcomes: list[VideoOutcome]
) -> Iterator[tuple[str, bytes]]:
    for item in shard.items:
        outcome, records = produce(item)
        outcomes.append(outcome)
        yield from zip(outcome.keys, records, strict=True)


def produce_from_videos(settings: BuildSettings) -> Produce:
    """Returns a function that makes the records of a video from the video."""
    return lambda item: resume.serialize_video(item, settings)


def produce_from_parts(
    settings: BuildSettings, folder: pathlib.Path, outcomes: Mapping[str, VideoOutcome]
) -> Produce:
    """Returns a function that reads the records of a video from its part, see `resume`."""

    def produce(item: Item) -> tuple[VideoOutcome, Iterable[bytes]]:
        outcome = outcomes[item.video]
        return outcome, resume.read_part(item, settings, folder) if outcome.keys else ()

    return produce


def write_with_beam(
    shards: Sequence[Shard],
    settings: BuildSettings,
    file_format: str,
    *,
    runner: Any,
    options: "beam.options.pipeline_options.PipelineOptions | None",
) -> list[WrittenShard]:
    """Writes the shards on Apache Beam, one element per shard; only these small elements are shuffled.

    Workers leave a note next to each shard, collected at the end, so that a shard that the runner loses is
    detected. Videos and shards must have the same paths on every worker.

    Raises:
      RuntimeError: the runner lost a shard.
    """
    import apache_beam as beam

    with beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(list(shards))
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(_write_and_note, settings, file_format)
        )
    return [collect_note(shard) for shard in shards]


def _write_and_note(shard: Shard, settings: BuildSettings, file_format: str) -> None:
    attempt = dataclasses.replace(
        shard, path=f"{shard.path}.{uuid.uuid4().hex}"
    )  # Beam may run an element twice
    written = write_shard(attempt, produce_from_videos(settings), file_format)
    if written.records:
        pathlib.Path(attempt.path).replace(shard.path)
    _note_path(shard).write_text(json.dumps(dataclasses.asdict(written)))


def _note_path(shard: Shard) -> pathlib.Path:
    return pathlib.Path(f"{shard.path}.json")


def collect_note(shard: Shard) -> WrittenShard:
    """Reads and removes a worker's note about a shard. Raises RuntimeError where there is none."""
    note = _note_path(shard)
    if not note.is_file():
        raise RuntimeError(f"{shard.path}: the Beam runner lost this shard; build again with another runner")
    stored = json.loads(note.read_text())
    note.unlink()
    outcomes = tuple(
        VideoOutcome(**{**outcome, "keys": tuple(outcome["keys"]), "warnings": tuple(outcome["warnings"])})
        for outcome in stored.pop("outcomes")
    )
    return WrittenShard(**stored, outcomes=outcomes)


def rename_shards(
    written: Sequence[WrittenShard], template: Callable[[str], tfds.core.ShardedFileTemplate], folder: str
) -> list[tfds.core.SplitInfo]:
    """Renames the shards that hold records to their final names (-00000-of-NNNNN).

    Returns:
      TFDS's description of each split that has records.
    """
    infos = []
    for split in SPLITS:
        full = [shard for shard in written if shard.split == split and shard.records]
        for index, shard in enumerate(full):
            final = template(split).sharded_filepath(shard_index=index, num_shards=len(full))
            _temporary_path(folder, split, shard.index).rename(final)
        if full:
            lengths = [shard.records for shard in full]
            size = sum(shard.bytes for shard in full)
            infos.append(tfds.core.SplitInfo(split, lengths, size, filename_template=template(split)))
    return infos
