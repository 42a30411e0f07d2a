"""Errors of checkpoints and weight files: one message with every problem found."""

from collections.abc import Sequence
from pathlib import Path

_SHOWN = 200
_MAX_NAME = 200


class CheckpointError(ValueError):
    """A checkpoint or weight file that can't be used; the message names the file and the reason."""


def refusal(path: str | Path, problems: str | Sequence[str]) -> CheckpointError:
    """Returns the CheckpointError to raise for a file; its message lists the first 200 problems."""
    problems = [problems] if isinstance(problems, str) else list(problems)
    if len(problems) == 1:
        return CheckpointError(f"{path} is refused: {problems[0]}")
    hidden = [f"... and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    lines = [f"{path} is refused, {len(problems)} problems:", *problems[:_SHOWN], *hidden]
    return CheckpointError("\n  ".join(lines))


def quote(value: object, limit: int = 80) -> str:
    """Returns a string from an untrusted file on one short line of a message; of other values their type."""
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return repr(value if len(value) <= limit else value[:limit] + "...")


def is_tensor_name(key: object) -> bool:
    """Whether a key of an untrusted file can be a tensor's name: printable, with 1 to 200 characters."""
    return type(key) is str and 0 < len(key) <= _MAX_NAME and key.isprintable()


def first_line(error: Exception) -> str:
    """Returns the first line of an error, with its class, for a message of one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
