"""Keeps Orbax's stray errors off the screen: where one array fails, one message tells of it."""

import contextlib
import inspect
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def report_one_error() -> Iterator[None]:
    """Lets the first array that can't be read or written speak for all of them.

    Orbax gives up at the first one and closes its event loop. What the others have under way then fails too,
    in threads of their own, and Python prints a traceback for each, some of them after the error was raised.
    So the filter is taken off again only where nothing failed.
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
    """Keeps what Orbax logs of a failure, ten tracebacks, off the screen: it raises it as well."""
    logging.getLogger("absl").addFilter(_not_orbax_error)


def _not_orbax_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR or "orbax" not in record.pathname
