"""Interrupts (Ctrl-C) that count even where a library swallows the exception."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any


class _Recorder:
    """A handler of signals that records them for another one."""

    def __init__(self, handler: Callable[[int, Any], Any]):
        self.seen: list[int] = []
        self._handler = handler

    def __call__(self, number: int, frame: Any) -> None:
        self.seen.append(number)
        self._handler(number, frame)


@contextlib.contextmanager
def record_interrupts() -> Iterator[list[int]]:
    """Yields a list of the interrupts seen; each raises KeyboardInterrupt too, as before.

    Callbacks of libraries swallow that now and then: PyAV's while it resamples, JAX's on garbage collection.
    Python's report of that, a traceback, is not printed. Inside another recording the list is that one's.
    """
    before = signal.getsignal(signal.SIGINT)
    if isinstance(before, _Recorder):
        yield before.seen
        return
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield []
        return

    def report(swallowed: Any) -> None:
        if not issubclass(swallowed.exc_type, KeyboardInterrupt):
            report_before(swallowed)

    report_before, sys.unraisablehook = sys.unraisablehook, report
    recorder = _Recorder(before)
    signal.signal(signal.SIGINT, recorder)
    try:
        yield recorder.seen
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = report_before
