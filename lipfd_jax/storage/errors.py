"""Errors of the machine: of our own, and those found behind libraries' errors."""

import errno
import os
import re
from pathlib import Path


class MachineError(RuntimeError):
    """Failure of the machine, not of a clip; the message names the remedy before the command is run again."""


def describe_error(error: BaseException) -> str:
    """Returns an exception's message; for the system's own, file and reason instead of a number."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        name = os.fsdecode(error.filename2 if error.filename2 is not None else error.filename)
        return f"{name}: {error.strerror}"
    return str(error) or type(error).__name__


def find_os_error(error: BaseException, path: str | Path) -> OSError | None:
    """Returns the OSError behind an exception (a full or broken disk), or None if there is none.

    TensorStore, which writes and reads arrays for Orbax, and safetensors raise errors of their own for it.

    Args:
      error: any exception.
      path: what was being written or read, for the message.
    """
    cause: BaseException | None = error
    while cause is not None:
        code = re.search(r"os_error_code='(\d+)'|\(os error (\d+)\)", str(cause))
        number = int(code[1] or code[2]) if code else cause.errno if isinstance(cause, OSError) else None
        if number:
            remedy = "free some space and run the same command again"
            full = f" (the disk is full: {remedy})" if number in (errno.ENOSPC, errno.EDQUOT) else ""
            return OSError(number, os.strerror(number) + full, str(path))
        cause = cause.__cause__ or cause.__context__
    return None
