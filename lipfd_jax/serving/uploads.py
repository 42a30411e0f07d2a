"""Takes an upload: written to disk as it comes, counted, and given up when too long, too slow or empty."""

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread

from lipfd_jax.listing.names import escape_controls
from lipfd_jax.serving.limits import Limits, Refused

_NAME_LETTERS = 120  # of a file's name that are shown
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


async def receive(chunks: AsyncIterator[bytes], path: Path, limits: Limits) -> int:
    """Writes what arrives to a new file and returns how many bytes it was; what it failed to take is left
    for the caller to remove. What the sender says of its length counts for nothing.

    Raises:
      Refused: 400 for an empty file, 408 for a slow one, 413 for one too large, 507 for a full disk.
    """
    with open(path, "xb", buffering=0) as file:
        count = await _copied(chunks, file, limits)
    if not count:
        raise Refused(400, "This file is empty.")
    return count


async def _copied(chunks: AsyncIterator[bytes], file: BinaryIO, limits: Limits) -> int:
    begin = asyncio.get_running_loop().time()
    count = 0
    while True:
        chunk = await _next(chunks, _deadline(begin, count, limits))
        if chunk is None:
            return count
        count += len(chunk)
        if count > limits.bytes:
            raise too_large(limits)
        await to_thread.run_sync(_write, file, chunk)


def too_large(limits: Limits) -> Refused:
    """The refusal of a file that is too large."""
    return Refused(413, f"This file is larger than the {limits.megabytes:g} MB taken here.")


def _deadline(begin: float, count: int, limits: Limits) -> float:
    """When the next bytes must be there: soon, and the whole not slower than the slowest allowed."""
    now = asyncio.get_running_loop().time()
    return min(now, begin + count / limits.slowest) + limits.grace


async def _next(chunks: AsyncIterator[bytes], deadline: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(chunks, None)
    except TimeoutError:
        raise Refused(408, "The upload came too slowly and was given up.") from None


def _write(file: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        if error.errno in _FULL:
            raise Refused(507, "The disk of this computer is full.") from error
        raise


def shown_name(name: str) -> str:
    """A file's name as it is shown: on one line, its end without folders, no letters that turn the others."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return escape_controls(last.strip())[:_NAME_LETTERS] or "video"
