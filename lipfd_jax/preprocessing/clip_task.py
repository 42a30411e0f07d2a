"""Runs a task on one clip: faults of the clip become its problem, failures of the machine are raised.

Every command that takes many files follows this rule: whatever one file raises is that file's line.
"""

import errno
import gc
import stat
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import av
import cv2

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.folder import explain_missing, find_irregularity
from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.preprocessing.containers import MACHINE_ERRORS, SMALL_FILE
from lipfd_jax.storage.errors import MachineError

Value = TypeVar("Value")
# Errors of opening that are the input's fault: it is missing, not accessible, or not a file.
_ABSENT = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EILSEQ}
_ABSENT |= {errno.ESTALE}  # replaced on a network share
_SMALL_SHARE, _LARGE_SHARE = 600 << 20, 3 << 30  # bytes of memory for one clip


class Task(Protocol):
    """Unit of work: a clip, or anything else made of files."""

    @property
    def path(self) -> Path:
        """The file that names it in messages."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read for it."""


Work = TypeVar("Work", bound=Task)


@dataclass(frozen=True)
class ClipOutcome(Generic[Work, Value]):
    """Result of one clip, or the reason why there is none."""

    clip: Work
    result: Value | None
    problem: str = ""
    traceback: str = ""  # of an unexpected error, which may be a bug


def attempt_task(
    function: Callable[[Work], Value], clip: Work, *, base: int | None = None
) -> ClipOutcome[Work, Value]:
    """Returns the outcome of `function(clip)`.

    `base`: bytes of memory allocated by this process before any clip; with it, one clip gets a bounded share,
    and exceeding it is the clip's fault unless memory is short.
    Raises OSError (full disk, failing disk), MemoryError and MachineError.
    """
    try:
        _check_present(clip.files)
        if base is None:
            return ClipOutcome(clip, _call(function, clip))
        allowance = _SMALL_SHARE if sum(f.stat().st_size for f in clip.files) <= SMALL_FILE else _LARGE_SHARE
        return _call_bounded(function, clip, base, allowance)
    except Exception as error:
        if problem := find_fault(error, clip):
            return ClipOutcome(clip, None, problem, "" if is_expected(error) else traceback.format_exc())
        raise


def find_fault(error: Exception, clip: Task) -> str:
    """Returns the fault of a clip behind an exception, with the path; empty for failures of the machine.

    Those are a full or failing disk and lack of memory. Any other error may be a bug, but of one clip; hours
    of work on others are kept.
    """
    if isinstance(error, av.FFmpegError):  # some are OSErrors too
        reason = "" if error.errno in MACHINE_ERRORS else f"can't be decoded ({error.strerror})"
    elif isinstance(error, ClipError):
        reason = str(error)
    elif isinstance(error, MemoryError | MachineError):
        return ""
    elif isinstance(error, OSError):
        reason = str(error) if _is_at_fault(error, clip) else ""
    else:
        reason = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
    if not reason or any(str(path) in reason for path in (clip.path, *clip.files)):
        return reason
    return f"{clip.path}: {reason}"


def is_expected(error: Exception) -> bool:
    """Whether an error that is a clip's fault is no bug."""
    return isinstance(error, ClipError | OSError | av.FFmpegError)


def _is_at_fault(error: OSError, clip: Task) -> bool:
    """Whether a clip causes an error of the system: its files are gone, or its name is too long."""
    if error.errno == errno.ENAMETOOLONG:  # an output's name derives from the clip's
        return True
    return error.errno in _ABSENT and error.filename in {str(path) for path in clip.files}


def _call(function: Callable[[Work], Value], clip: Work) -> Value:
    """Returns the function's result; raises MemoryError for lack of memory, whichever library reports it."""
    try:
        return function(clip)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"{clip.path}: {error}") from error
        raise


def _call_bounded(
    function: Callable[[Work], Value], clip: Work, base: int, allowance: int
) -> ClipOutcome[Work, Value]:
    try:
        gc.collect()  # what earlier clips left in circles counts too: frames of a generator, a traceback's
        with memory_limit.limit_memory(base + allowance):
            return ClipOutcome(clip, _call(function, clip))
    except MemoryError as error:
        free = memory_limit.available_bytes()
        if free < allowance:
            raise MachineError(
                f"{clip.path}: {free >> 20} MB of memory are left, one clip may take {allowance >> 20}; "
                "use fewer --workers, or close other programs"
            ) from error
        return ClipOutcome(clip, None, f"{clip.path}: takes more than {allowance >> 20} MB of memory")


def _check_present(files: tuple[Path, ...]) -> None:
    """Raises ClipError if a file is missing, irregular or not accessible, OSError if the disk fails."""
    for path in files:
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
                raise ClipError(f"{path}: {find_irregularity(path)}")
            with open(path, "rb"):
                pass
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            reason = error.strerror or str(error)
            reason = explain_missing(path, reason) if error.errno == errno.ENOENT else reason
            raise ClipError(f"{path}: {reason}") from error
