"""Folders for results, checked before work begins: one that can't be written to is said at once."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lipfd_jax.storage.locks import lock_folder
from lipfd_jax.storage.unavailable import is_remote

_REASONS = {errno.EEXIST: "it is a file, not a folder", errno.ENOTDIR: "a part of its path is a file"}


def check_writable(folder: Path) -> None:
    """Creates a folder on this machine and writes to it.

    Takes no lock, as the processes of one run check their folder at the same time: whether another run writes
    to it is left to the lock that the first of them takes.

    Raises:
      ValueError: an address; or it can't be created or written to. The message names it and the reason.
    """
    with _refuse_unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def check_unused(folder: Path, what: str) -> None:
    """As `check_writable`, and also that no other process holds the folder's lock.

    Args:
      what: names the work in messages: "a detection".

    Raises:
      ValueError: as `check_writable`.
      InUseError: another process writes to it.
    """
    with _refuse_unwritable(folder), lock_folder(folder, what):
        pass


@contextlib.contextmanager
def _refuse_unwritable(folder: Path) -> Iterator[None]:
    """Raises ValueError for an address, and where creating or writing to the folder raises OSError."""
    if is_remote(folder) and not os.path.lexists(folder):
        raise ValueError(f"{folder}: an address; expected a folder on this machine")
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        raise ValueError(f"{folder}: can't be written to: {reason}") from error
