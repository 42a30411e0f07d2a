"""Atomic writing of text, bytes and JSON, on disks and in buckets."""

import hashlib
import json
import os
import pathlib
from typing import Any

from etils import epath


def write_bytes(path: str | os.PathLike, data: bytes | memoryview) -> None:
    """Writes a file whole or not at all; a kill leaves at most a hidden .tmp file next to it.

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


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes plain values as indented JSON as `write_bytes` does. ValueError for NaN and infinity."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
