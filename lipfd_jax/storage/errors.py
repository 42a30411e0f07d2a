"""Errors of the machine, found behind those of libraries."""

import errno
import os
import re
from pathlib import Path


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
