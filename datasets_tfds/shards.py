"""Which videos go into which shard, and writing shards one record at a time.

TFDS's own writers keep a gigabyte in memory, need TensorFlow beyond that, and on Beam move every record
through a shuffle that has been seen to lose some. Here a shard is a list of videos that depends on input and
settings alone, so it has the same bytes whoever writes it; Grain reads in any order and needs no shuffling.
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
from datasets_tfds.build_settings import Settings
from datasets_tfds.resume import VideoOutcome
from lipfd_jax.listing.clips import ClipError, Item
from lipfd_jax.vocabulary import SPLITS

if TYPE_CHECKING:
    import apache_beam as beam

_NEXT_TO_NOTHING = 1 << 20  # bytes free below which a writer that fails is taken to have met a full disk

Produce = Callable[[Item], tuple[VideoOutcome, Iterable[bytes]]]


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records, before it is written."""

    split: str
    index: int  # within its split
    path: str  # where to write it
    items: tuple[Item, ...]


@dataclasses.dataclass(frozen=True)
class Written:
    """One file of records, after it was written."""

    split: str
    index: int
    records: int
    bytes: int  # of the records; the file is a little larger
    outcomes: tuple[VideoOutcome, ...]


def plan(items: Iterable[Item], splits: Mapping[str, str], settings: Settings, folder: str) -> list[Shard]:
    """Deals the videos of each split to shards, in an order drawn from the salt.

    Videos without a split are left out. Every shard has at most `settings.videos_per_shard` videos.
    """
    ordered = sorted((item for item in items if item.video in splits), key=lambda item: _draw(item, settings))
    shards = []
    for split in SPLITS:
        members = [item for item in ordered if splits[item.video] == split]
        for index, start in enumerate(range(0, len(members), settings.videos_per_shard)):
            batch = tuple(members[start : start + settings.videos_per_shard])
            shards.append(Shard(split, index, str(_unnumbered(folder, split, index)), batch))
    return shards


def _draw(item: Item, settings: Settings) -> bytes:
    return hashlib.sha256(f"{settings.salt}/order:{item.video}".encode()).digest()


def _unnumbered(folder: str, split: str, index: int) -> pathlib.Path:
    """The name of a shard while it is not known how many of them will hold a record."""
    return pathlib.Path(folder) / f"{split}.shard-{index:05d}"


def write(shard: Shard, produce: Produce, file_format: str) -> Written:
    """Writes one shard, holding one video's records at a time."""
    outcomes: list[VideoOutcome] = []
    keyed = _keyed(shard, produce, outcomes)
    first = next(keyed, None)
    if first is not None:  # a shard without a record gets no file
        adapter = file_adapters.ADAPTER_FOR_FORMAT[file_adapters.FileFormat.from_value(file_format)]
        with _disk_errors_named(shard.path):
            adapter.write_examples(shard.path, itertools.chain([first], keyed))
    count = sum(len(outcome.keys) for outcome in outcomes)
    return Written(shard.split, shard.index, count, sum(o.bytes for o in outcomes), tuple(outcomes))


@contextlib.contextmanager
def _disk_errors_named(path: str) -> Iterator[None]:
    """Raises OSError where a writer fails because the disk is full: array_record says so in its own words."""
    try:
        yield
    except (OSError, ClipError):
        raise
    except Exception as error:
        if shutil.disk_usage(pathlib.Path(path).parent).free < _NEXT_TO_NOTHING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path) from error
        raise


def _keyed(shard: Shard, produce: Produce, outcomes: list[VideoOutcome]) -> Iterator[tuple[str, bytes]]:
    for item in shard.items:
        outcome, records = produce(item)
        outcomes.append(outcome)
        yield from zip(outcome.keys, records, strict=True)


def from_scratch(settings: Settings) -> Produce:
    """Returns a source of records that reads the video itself."""
    return lambda item: resume.video_records(item, settings)


def from_parts(settings: Settings, folder: pathlib.Path, outcomes: Mapping[str, VideoOutcome]) -> Produce:
    """Returns a source of records that reads the parts of finished videos."""

    def produce(item: Item) -> tuple[VideoOutcome, Iterable[bytes]]:
        outcome = outcomes[item.video]
        return outcome, resume.records(item, settings, folder) if outcome.keys else ()

    return produce


def write_with_beam(
    shards: Sequence[Shard],
    settings: Settings,
    file_format: str,
    *,
    runner: Any,
    options: "beam.options.pipeline_options.PipelineOptions | None",
) -> list[Written]:
    """Writes the shards on Apache Beam, one shard an element; only these small elements are ever shuffled.

    What became of each shard is left as a file beside it and collected afterwards, so a shard that a runner
    loses is missed here. The videos and the shards must be at the same paths on every worker.

    Raises:
      RuntimeError: a shard is missing at the end.
    """
    import apache_beam as beam

    with beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(list(shards))
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(_write_and_note, settings, file_format)
        )
    return [take_note(shard) for shard in shards]


def _write_and_note(shard: Shard, settings: Settings, file_format: str) -> None:
    attempt = dataclasses.replace(shard, path=f"{shard.path}.{uuid.uuid4().hex}")  # Beam may try one twice
    written = write(attempt, from_scratch(settings), file_format)
    if written.records:
        pathlib.Path(attempt.path).replace(shard.path)
    _note(shard).write_text(json.dumps(dataclasses.asdict(written)))


def _note(shard: Shard) -> pathlib.Path:
    return pathlib.Path(f"{shard.path}.json")


def take_note(shard: Shard) -> Written:
    """Returns what a worker noted about a shard. Raises RuntimeError where there is no note."""
    note = _note(shard)
    if not note.is_file():
        raise RuntimeError(f"{shard.path}: the Beam runner lost this shard; build again with another runner")
    stored = json.loads(note.read_text())
    note.unlink()
    outcomes = tuple(
        VideoOutcome(**{**outcome, "keys": tuple(outcome["keys"]), "warnings": tuple(outcome["warnings"])})
        for outcome in stored.pop("outcomes")
    )
    return Written(**stored, outcomes=outcomes)


def finish_names(
    written: Sequence[Written], template: Callable[[str], tfds.core.ShardedFileTemplate], folder: str
) -> list[tfds.core.SplitInfo]:
    """Gives the shards that hold records their final names (-00000-of-NNNNN) and describes the splits."""
    infos = []
    for split in SPLITS:
        full = [shard for shard in written if shard.split == split and shard.records]
        for index, shard in enumerate(full):
            final = template(split).sharded_filepath(shard_index=index, num_shards=len(full))
            _unnumbered(folder, split, shard.index).rename(final)
        if full:
            lengths = [shard.records for shard in full]
            size = sum(shard.bytes for shard in full)
            infos.append(tfds.core.SplitInfo(split, lengths, size, filename_template=template(split)))
    return infos
