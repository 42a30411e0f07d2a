"""Atomic writing of text, bytes and JSON, on disks and in buckets."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import time
from typing import Any

from etils import epath

_TEMPORARY = re.compile(r"\.[0-9a-f]{24}\.([0-9]+)\.tmp")  # of `write_bytes`, with the process that writes it
_RECENT_SECONDS = 60.0


def write_bytes(path: str | os.PathLike, data: bytes | memoryview) -> None:
    """Writes a file whole or not at all; a kill leaves at most a hidden .tmp file, see `remove_leftovers`.

    An old file stays until the new content is on the disk. In a bucket (gs://...) writing an object is atomic
    by itself.

    Raises:
      OSError: the disk is full, or the folder is missing or can't be written to; nothing is left behind.
    """
    path = epath.Path(path)
    if "://" in str(path):
        path.write_bytes(data)
        return
    # Hashed, as the name alone may be as long as a file system allows.
    short = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:24]
    temporary = pathlib.Path(path).with_name(f".{short}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # writing names no file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def remove_leftovers(folder: pathlib.Path) -> int:
    """Removes files that `write_bytes` left in a folder on a disk when it was killed; returns their number.

    Their process must have ended; those of the last minute stay, as another machine may be writing them.
    """
    removed = 0
    for path in folder.glob(".*.tmp"):
        named = _TEMPORARY.fullmatch(path.name)
        with contextlib.suppress(OSError):
            if named and time.time() - path.stat().st_mtime > _RECENT_SECONDS and not _lives(int(named[1])):
                path.unlink()
                removed += 1
    return removed


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes plain values as indented JSON as `write_bytes` does. ValueError for NaN and infinity."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
