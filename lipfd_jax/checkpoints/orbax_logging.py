"""Suppresses Orbax's redundant errors: one failing array gives one message."""

import contextlib
import inspect
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def report_one_error() -> Iterator[None]:
    """Reports only the first array that can't be read or written.

    Orbax stops at the first one and closes its event loop. Pending operations on other arrays then fail too,
    in their own threads, and Python prints a traceback for each, some of them after the error was raised. So
    the filter is removed only if nothing failed.
    """
    shown = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not _is_stray(unraisable):
            shown(unraisable)

    sys.unraisablehook = hook
    yield
    sys.unraisablehook = shown


def _is_stray(unraisable: "sys.UnraisableHookArgs") -> bool:
    if inspect.iscoroutine(unraisable.object):
        return "orbax" in unraisable.object.cr_code.co_filename
    return isinstance(unraisable.exc_value, RuntimeError) and "Event loop is closed" in str(
        unraisable.exc_value
    )


def silence_orbax_log() -> None:
    """Hides what Orbax logs of a failure, ten tracebacks: it raises the error as well."""
    logging.getLogger("absl").addFilter(_not_orbax_error)


def _not_orbax_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR or "orbax" not in record.pathname
