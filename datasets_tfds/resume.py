"""Resumable build: each finished video of an unfinished build is a part, one file with its records.

A part has another name once its video or the settings change, so that an interrupted build reuses the parts
that still fit, and only those.
"""

import dataclasses
import functools
import io
import json
import pathlib
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from tqdm import tqdm

from datasets_tfds.build_settings import BuildError, BuildSettings
from datasets_tfds.records import get_codec, make_records
from lipfd_jax.listing.clips import ClipError, Item
from lipfd_jax.preprocessing.clip_task import attempt_task
from lipfd_jax.preprocessing.workers import map_clips
from lipfd_jax.storage.checksums import hash_text
from lipfd_jax.storage.files import write_bytes
from lipfd_jax.vocabulary import FACE_SIDE

# Version of parts; raise it whenever extraction or encoding change the records: old parts are then ignored.
FORMAT = 2
_OUTCOME_FILE = "outcome.json"  # in a part, before the records "0", "1", ...
_SAMPLE = 8  # videos from all over the data that are built first, for the estimate
_LONG = 40  # videos of the smallest build that gets an estimate


@dataclasses.dataclass(frozen=True)
class VideoOutcome:
    """Result of building one video."""

    video: str
    keys: tuple[str, ...]  # record keys, in order
    bytes: int  # size of the records
    warnings: tuple[str, ...] = ()
    problem: str = ""  # why it has no records
    traceback: str = ""  # of an unexpected error, which may be a bug


def finish_videos(
    items: Sequence[Item], settings: BuildSettings, folder: pathlib.Path, worker_count: int
) -> dict[str, VideoOutcome]:
    """Writes the parts that `folder` lacks, with a progress bar; returns {video id: outcome} of all videos.

    Raises:
      BuildError: the disk is too small, by an estimate from the first videos.
      MachineError: a failure of the machine, as `map_clips`.
    """
    known = {item.video: read_outcome(item, settings, folder) for item in items}
    outcomes = {video: outcome for video, outcome in known.items() if outcome is not None}
    todo = _sample_first([item for item in items if item.video not in outcomes])
    if outcomes:
        print(f"{len(outcomes)} of {len(items)} videos were finished before", flush=True)
    function = functools.partial(_write_timed, settings=settings, folder=folder)
    seconds: list[float] = []
    with tqdm(total=len(items), initial=len(outcomes), unit="video", smoothing=0.05) as bar:
        for done in map_clips(function, todo, workers=worker_count):
            video = done.clip.video
            failed = VideoOutcome(video, (), 0, problem=done.problem, traceback=done.traceback)
            outcome, taken = done.result or (failed, 0.0)
            outcomes[video] = outcome
            seconds.append(taken)
            bar.update()
            if len(seconds) == _SAMPLE and len(todo) >= _LONG:
                seconds_left = sum(seconds) / _SAMPLE / max(worker_count, 1) * (len(todo) - _SAMPLE)
                bar.write(_estimate_build(outcomes, items, seconds_left, folder, settings.kind))
    return outcomes


def serialize_video(item: Item, settings: BuildSettings) -> tuple[VideoOutcome, list[bytes]]:
    """Builds one video: returns its outcome, and its serialized records in the order of the outcome's keys.

    Raises OSError, MemoryError or MachineError for failures of the machine, which are none of the video.
    """
    found = attempt_task(functools.partial(make_records, settings=settings), item)
    if found.result is None:
        return VideoOutcome(item.video, (), 0, problem=found.problem, traceback=found.traceback), []
    made = found.result
    serialized = [get_codec(settings).serialize(fields) for _, fields in made.records]
    keys = tuple(key for key, _ in made.records)
    return VideoOutcome(item.video, keys, sum(map(len, serialized)), made.warnings), serialized


def write_part(item: Item, settings: BuildSettings, folder: pathlib.Path) -> VideoOutcome:
    """Builds one video and writes its part, whole or not at all."""
    path = part_path(item, settings, folder)
    outcome, serialized = serialize_video(item, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with zipfile.ZipFile(
        content, "w"
    ) as packed:  # stored uncompressed; a zip verifies its members' checksums
        packed.writestr(_OUTCOME_FILE, json.dumps(dataclasses.asdict(outcome)))
        for number, record in enumerate(serialized):
            packed.writestr(str(number), record)
    write_bytes(path, content.getbuffer())
    return outcome


def read_outcome(item: Item, settings: BuildSettings, folder: pathlib.Path) -> VideoOutcome | None:
    """Reads the outcome from a video's part; None where there is no intact part."""
    try:
        with zipfile.ZipFile(part_path(item, settings, folder)) as packed:
            stored: dict[str, Any] = json.loads(packed.read(_OUTCOME_FILE))
            if len(packed.namelist()) != len(stored["keys"]) + 1:
                return None
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return None
    lists = {name: tuple(stored[name]) for name in ("keys", "warnings")}
    return VideoOutcome(**{**stored, **lists})


def read_part(item: Item, settings: BuildSettings, folder: pathlib.Path) -> Iterator[bytes]:
    """Yields the serialized records from a video's part, one at a time.

    Raises ClipError where the part is damaged, and removes it.
    """
    path = part_path(item, settings, folder)
    try:
        with zipfile.ZipFile(path) as packed:
            for number in range(len(packed.namelist()) - 1):
                yield packed.read(str(number))
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        path.unlink(missing_ok=True)
        raise ClipError(
            f"{path}: damaged ({error}); run the build again, which builds this video again"
        ) from error


def part_path(item: Item, settings: BuildSettings, folder: pathlib.Path) -> pathlib.Path:
    """Returns the path of a video's part, named by a digest of the video's files and of the settings."""
    stats = [_stat_file(path) for path in item.files]
    content: list[Any] = [
        FORMAT,
        settings.encoding,
        settings.effort,
        settings.window_convention,
        settings.damaged,
        settings.crop,
        dataclasses.asdict(item),
        stats,
    ]
    if settings.face_side != FACE_SIDE:
        content.append(settings.face_side)
    if settings.kind == "clips":
        content += [settings.kind, settings.clip_side, settings.clip_quality, settings.clip_seconds]
    digest = hash_text(json.dumps(content, default=str))
    return folder / digest[:2] / f"{digest[:32]}.part"


def _stat_file(path: pathlib.Path) -> tuple[int, int]:
    try:
        info = path.stat()
    except OSError:
        return -1, -1  # extraction reports the problem
    return info.st_size, info.st_mtime_ns


def _write_timed(item: Item, settings: BuildSettings, folder: pathlib.Path) -> tuple[VideoOutcome, float]:
    started = time.perf_counter()
    return write_part(item, settings, folder), time.perf_counter() - started


def _sample_first(items: list[Item]) -> list[Item]:
    """Returns the same items, with a sample from all over the list in front."""
    if len(items) < _LONG:
        return items
    sample = set(range(0, len(items), -(-len(items) // _SAMPLE)))
    rest = [item for index, item in enumerate(items) if index not in sample]
    return [items[index] for index in sorted(sample)] + rest


def _estimate_build(
    outcomes: dict[str, VideoOutcome], items: Sequence[Item], seconds: float, folder: pathlib.Path, kind: str
) -> str:
    """Returns a line about time left and disk space. Raises BuildError where the disk is too small."""
    records = sum(outcome.bytes for outcome in outcomes.values()) / len(outcomes) * len(items)
    count = sum(len(outcome.keys) for outcome in outcomes.values()) / len(outcomes) * len(items)
    present = sum(path.stat().st_size for path in folder.glob("*/*.part"))
    needed, free = 2 * records - present, shutil.disk_usage(folder).free  # parts, and the shards made of them
    if needed > free:
        smaller = "the lossy encoding" if kind == "windows" else "a lower --clip_quality"
        raise BuildError(
            f"the build needs about {needed / 1e9:.1f} GB, {folder} has {free / 1e9:.1f} GB free; choose "
            f"another data_dir or {smaller}, and run the command again: finished videos are kept"
        )
    return (
        f"about {seconds / 60:.0f} minutes left; {count:.0f} {kind}, {records / 1e9:.2f} GB of records, "
        f"twice that during the build ({free / 1e9:.1f} GB free)"
    )
