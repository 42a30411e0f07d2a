"""How a checkpoint or weight file is refused: one message that gathers everything found wrong with it."""

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

_SHOWN = 200
_MAX_NAME = 200


class CheckpointError(ValueError):
    """A checkpoint or weight file that can't be used; the message names the file and the reason."""


def refusal(path: str | Path, problems: str | Sequence[str]) -> CheckpointError:
    """The exception to raise for a file with these problems; its message shows the first two hundred."""
    problems = [problems] if isinstance(problems, str) else list(problems)
    if len(problems) == 1:
        return CheckpointError(f"{path} is refused: {problems[0]}")
    hidden = [f"... and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    lines = [f"{path} is refused, {len(problems)} problems:", *problems[:_SHOWN], *hidden]
    return CheckpointError("\n  ".join(lines))


def find_os_error(error: BaseException, path: str | Path) -> OSError | None:
    """The trouble of the machine behind an exception (a full disk, a broken one), if that is what it is.

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


def quote(value: object, limit: int = 80) -> str:
    """A string from an untrusted file, fit for one line of a message; of anything else only its type."""
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return repr(value if len(value) <= limit else value[:limit] + "...")


def is_tensor_name(key: object) -> bool:
    """Whether a key of an untrusted file can be a tensor's name: printable and of sensible length."""
    return type(key) is str and 0 < len(key) <= _MAX_NAME and key.isprintable()
