"""One try at one clip: what is in the clip becomes its problem, trouble of the machine is raised."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import cv2

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.preprocessing.containers import SMALL_FILE

Value = TypeVar("Value")
# What reading an input can meet that is the input's: it is not there, is not ours, or is no file.
_ABSENT = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EILSEQ}
_SMALL_SHARE, _LARGE_SHARE = 600 << 20, 3 << 30  # bytes of memory for one clip


class MachineError(RuntimeError):
    """Trouble of the machine, not of a clip; the message says what, and the same command goes on later."""


class Task(Protocol):
    """What can be tried: a clip, or whatever else is made of files."""

    @property
    def path(self) -> Path:
        """The file to name it by."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that is read for it."""


@dataclass(frozen=True)
class ClipOutcome(Generic[Value]):
    """What became of one clip: a result, or the reason why there is none."""

    clip: Task
    result: Value | None
    problem: str = ""


def attempt_task(
    function: Callable[[Task], Value], clip: Task, *, base: int | None = None
) -> ClipOutcome[Value]:
    """The outcome of `function(clip)`.

    `base`: bytes of memory this process had before any clip; with it, one clip gets a
    bounded share, and what asks for more is the clip's fault unless memory is short.
    Raises OSError (full disk, failing disk), MemoryError and MachineError.
    """
    try:
        _check_present(clip.files)
        if base is None:
            return ClipOutcome(clip, _call(function, clip))
        allowance = _SMALL_SHARE if sum(f.stat().st_size for f in clip.files) <= SMALL_FILE else _LARGE_SHARE
        return _call_bounded(function, clip, base, allowance)
    except ClipError as error:
        return ClipOutcome(clip, None, str(error))
    except (MemoryError, MachineError):
        raise
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # of an output: its name comes from the clip
            raise
        return ClipOutcome(clip, None, f"{clip.path}: {error}")
    except Exception as error:  # a fault of ours, but one clip's; hours of work on the others stay
        return ClipOutcome(clip, None, f"{clip.path}: unexpected {type(error).__name__}: {error}")


def _call(function: Callable[[Task], Value], clip: Task) -> Value:
    """The function's result; lack of memory is MemoryError, whichever library met it."""
    try:
        return function(clip)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"{clip.path}: {error}") from error
        raise


def _call_bounded(
    function: Callable[[Task], Value], clip: Task, base: int, allowance: int
) -> ClipOutcome[Value]:
    try:
        with memory_limit.limit_memory(base + allowance):
            return ClipOutcome(clip, _call(function, clip))
    except MemoryError as error:
        free = memory_limit.available_bytes()
        if free < allowance:
            raise MachineError(
                f"{clip.path}: {free >> 20} MB of memory are left, one clip may take {allowance >> 20}; "
                "use fewer --workers, or end what else is running"
            ) from error
        return ClipOutcome(clip, None, f"{clip.path}: takes more than {allowance >> 20} MB of memory")


def _check_present(files: tuple[Path, ...]) -> None:
    """Raises ClipError where a file is not there or not ours, OSError where the disk fails."""
    for path in files:
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            raise ClipError(f"{path}: {error.strerror}") from error
