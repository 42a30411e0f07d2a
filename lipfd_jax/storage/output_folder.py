"""Folders for results, checked before work begins: one that can't be written to is said at once."""

import errno
import os
import re
import tempfile
from pathlib import Path

from lipfd_jax.storage.locks import lock_folder

_REASONS = {errno.EEXIST: "it is a file, not a folder", errno.ENOTDIR: "a part of its path is a file"}


def check_writable(folder: Path, what: str, *, shared: bool = False) -> None:
    """Creates a folder on this machine and writes to it.

    Args:
      what: names the work in messages: "a detection".
      shared: several processes of one run check it at the same time; whether another run writes to it is then
        left to the lock that the first of them takes.

    Raises:
      ValueError: an address; or it can't be created or written to. The message names it and the reason.
      InUseError: another process writes to it.
    """
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:/", str(folder)) and not os.path.lexists(folder):
        raise ValueError(f"{folder}: an address; expected a folder on this machine")
    try:
        if shared:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        else:
            with lock_folder(folder, what):
                pass
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        raise ValueError(f"{folder}: can't be written to: {reason}") from error
