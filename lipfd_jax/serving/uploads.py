"""Receives uploads: writes them to disk as they come; refuses those too large, too slow or empty."""

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread

from lipfd_jax.listing.names import escape_controls
from lipfd_jax.serving.limits import Limits, RequestError

_MAX_NAME = 120  # characters of a file name shown
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


async def receive_upload(chunks: AsyncIterator[bytes], path: Path, limits: Limits) -> int:
    """Writes an upload to a new file and returns its bytes; the caller removes the file after a failure.

    The length that the sender announced is ignored.

    Raises:
      RequestError: 400 for an empty file, 408 for a slow one, 413 for one too large, 507 for a full disk.
    """
    with open(path, "xb", buffering=0) as file:
        count = await _copy_chunks(chunks, file, limits)
    if not count:
        raise RequestError(400, "This file is empty.")
    return count


async def _copy_chunks(chunks: AsyncIterator[bytes], file: BinaryIO, limits: Limits) -> int:
    begin = asyncio.get_running_loop().time()
    count = 0
    while True:
        chunk = await _next_chunk(chunks, _compute_deadline(begin, count, limits))
        if chunk is None:
            return count
        count += len(chunk)
        if count > limits.bytes:
            raise make_too_large_error(limits)
        await to_thread.run_sync(_write_bytes, file, chunk)


def make_too_large_error(limits: Limits) -> RequestError:
    """Returns the error for a file that is too large."""
    return RequestError(413, f"This file is larger than the {limits.megabytes:g} MB taken here.")


def _compute_deadline(begin: float, count: int, limits: Limits) -> float:
    """Time by which the next bytes must arrive: within the grace, and at the minimum rate on the whole."""
    now = asyncio.get_running_loop().time()
    return min(now, begin + count / limits.slowest) + limits.grace


async def _next_chunk(chunks: AsyncIterator[bytes], deadline: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(chunks, None)
    except TimeoutError:
        raise RequestError(408, "The upload came too slowly and was given up.") from None


def _write_bytes(file: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        if error.errno in _FULL:
            raise RequestError(507, "The disk of this computer is full.") from error
        raise


def make_display_name(name: str) -> str:
    """Returns a file name for display: without folders, on one line, control and direction marks escaped."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return escape_controls(last.strip())[:_MAX_NAME] or "video"
