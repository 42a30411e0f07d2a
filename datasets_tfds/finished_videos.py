"""Finished videos of a build that is under way, one file each, so that a stopped build can go on."""

import dataclasses
import hashlib
import io
import json
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any

from datasets_tfds.examples import codec, examples
from datasets_tfds.settings import Settings
from lipfd_jax.files import write_bytes
from lipfd_jax.listing.clips import ClipError, Item

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
