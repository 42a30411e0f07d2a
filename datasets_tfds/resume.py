"""Finished videos of a build that is under way, one file each, so that a stopped build can go on."""

import dataclasses
import functools
import hashlib
import io
import json
import pathlib
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from tqdm import tqdm

from datasets_tfds import resume
from datasets_tfds.build_settings import Settings
from datasets_tfds.errors import BuildError
from datasets_tfds.records import codec, examples
from lipfd_jax.listing.clips import ClipError, Item
from lipfd_jax.preprocessing.workers import map_clips
from lipfd_jax.storage.files import write_bytes

FORMAT = 2  # raise it whenever extraction or encoding give other records: old parts are then not taken up
_OUTCOME = "outcome.json"


@dataclasses.dataclass(frozen=True)
class VideoOutcome:
    """What became of one video."""

    video: str
    keys: tuple[str, ...]  # of its records, in order
    bytes: int  # of its records
    warnings: tuple[str, ...] = ()
    problem: str = ""  # why there is no record of it


def video_records(item: Item, settings: Settings) -> tuple[VideoOutcome, list[bytes]]:
    """Returns what became of a video, and its serialized records in the order of the outcome's keys.

    Raises OSError or MemoryError for trouble of the machine: that is not the video's.
    """
    try:
        made = examples(item, settings)
    except ClipError as error:
        return VideoOutcome(item.video, (), 0, problem=str(error)), []
    except (OSError, MemoryError):
        raise  # the machine's, not the video's
    except Exception as error:  # a library's own error on a strange file must not end the build
        return VideoOutcome(item.video, (), 0, problem=f"{type(error).__name__}: {error}"), []
    serialized = [codec(settings).serialize(fields) for _, fields in made.records]
    keys = tuple(key for key, _ in made.records)
    return VideoOutcome(item.video, keys, sum(map(len, serialized)), made.warnings), serialized


def path_of(item: Item, settings: Settings, folder: pathlib.Path) -> pathlib.Path:
    """Returns where the part of a video belongs: another name once its files or the settings changed."""
    stats = [_stat(path) for path in item.files]
    identity = [
        FORMAT,
        settings.encoding,
        settings.effort,
        settings.windows,
        settings.damaged,
        settings.crop,
        dataclasses.asdict(item),
        stats,
    ]
    digest = hashlib.sha256(json.dumps(identity, default=str).encode()).hexdigest()
    return folder / digest[:2] / f"{digest[:32]}.part"


def _stat(path: pathlib.Path) -> tuple[int, int]:
    try:
        info = path.stat()
    except OSError:
        return -1, -1  # extraction will say what is wrong
    return info.st_size, info.st_mtime_ns


def finish(item: Item, settings: Settings, folder: pathlib.Path) -> VideoOutcome:
    """Makes the part of a video; it appears whole or not at all."""
    path = path_of(item, settings, folder)
    outcome, serialized = video_records(item, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:  # stored as they are; a zip checks its members' sums
        packed.writestr(_OUTCOME, json.dumps(dataclasses.asdict(outcome)))
        for number, record in enumerate(serialized):
            packed.writestr(str(number), record)
    write_bytes(path, content.getbuffer())
    return outcome


def finished(item: Item, settings: Settings, folder: pathlib.Path) -> VideoOutcome | None:
    """Returns the outcome of a video that was finished before; None where there is no sound part of it."""
    try:
        with zipfile.ZipFile(path_of(item, settings, folder)) as packed:
            stored: dict[str, Any] = json.loads(packed.read(_OUTCOME))
            if len(packed.namelist()) != len(stored["keys"]) + 1:
                return None
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return None
    lists = {name: tuple(stored[name]) for name in ("keys", "warnings")}
    return VideoOutcome(**{**stored, **lists})


def records(item: Item, settings: Settings, folder: pathlib.Path) -> Iterator[bytes]:
    """Yields the serialized records of a finished video, one at a time.

    Raises ClipError where they are not the bytes that were written; the part is then removed.
    """
    path = path_of(item, settings, folder)
    try:
        with zipfile.ZipFile(path) as packed:
            for number in range(len(packed.namelist()) - 1):
                yield packed.read(str(number))
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        path.unlink(missing_ok=True)
        raise ClipError(
            f"{path}: damaged ({error}); run the build again, it makes this video anew"
        ) from error


_SAMPLE = 8  # videos from all over the data that are made first, for the estimate
_LONG = 40  # builds of fewer videos are not worth one


def finish_videos(
    items: Sequence[Item], settings: Settings, folder: pathlib.Path, worker_count: int
) -> dict[str, VideoOutcome]:
    """Returns {video id: what became of it}, making the parts in `folder` that are not there yet.

    Raises:
      BuildError: the disk is too small, by an estimate from the first videos.
    """
    known = {item.video: resume.finished(item, settings, folder) for item in items}
    outcomes = {video: outcome for video, outcome in known.items() if outcome is not None}
    todo = _sample_first([item for item in items if item.video not in outcomes])
    if outcomes:
        print(f"{len(outcomes)} of {len(items)} videos were finished before", flush=True)
    function = functools.partial(_timed, settings=settings, folder=folder)
    seconds: list[float] = []
    with tqdm(total=len(items), initial=len(outcomes), unit="video", smoothing=0.05) as bar:
        for done in map_clips(function, todo, workers=worker_count):
            video = done.clip.video
            outcome, taken = done.result or (VideoOutcome(video, (), 0, problem=done.problem), 0.0)
            outcomes[video] = outcome
            seconds.append(taken)
            bar.update()
            if len(seconds) == _SAMPLE and len(todo) >= _LONG:
                per_video = sum(seconds) / _SAMPLE / max(worker_count, 1)
                bar.write(_estimate(outcomes, items, per_video * (len(todo) - _SAMPLE), folder))
    return outcomes


def _timed(item: Item, settings: Settings, folder: pathlib.Path) -> tuple[VideoOutcome, float]:
    started = time.perf_counter()
    return resume.finish(item, settings, folder), time.perf_counter() - started


def _sample_first(items: list[Item]) -> list[Item]:
    """The same items, some from all over the list in front."""
    if len(items) < _LONG:
        return items
    sample = set(range(0, len(items), -(-len(items) // _SAMPLE)))
    rest = [item for index, item in enumerate(items) if index not in sample]
    return [items[index] for index in sorted(sample)] + rest


def _estimate(
    outcomes: dict[str, VideoOutcome], items: Sequence[Item], seconds: float, folder: pathlib.Path
) -> str:
    """A line about time and disk. Raises BuildError where the disk will not do."""
    records = sum(outcome.bytes for outcome in outcomes.values()) / len(outcomes) * len(items)
    windows = sum(len(outcome.keys) for outcome in outcomes.values()) / len(outcomes) * len(items)
    there = sum(path.stat().st_size for path in folder.glob("*/*.part"))
    needed, free = (
        2 * records - there,
        shutil.disk_usage(folder).free,
    )  # the parts, and the shards made of them
    if needed > free:
        raise BuildError(
            f"about {needed / 1e9:.1f} GB are needed on the way, {free / 1e9:.1f} GB are free at {folder}; "
            "choose another data_dir or the lossy encoding, then run the command again: what is done is kept"
        )
    return (
        f"about {seconds / 60:.0f} minutes left; {windows:.0f} windows, {records / 1e9:.2f} GB of records, "
        f"twice that on the way ({free / 1e9:.1f} GB are free)"
    )
