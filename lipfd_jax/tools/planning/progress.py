"""Says on the standard error that something is still going on."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator


@contextlib.contextmanager
def progress(label: str, *, every: float = 30.0) -> Iterator[None]:
    """Repeats the label with the seconds so far, over itself on a terminal, else line by line."""
    start, done = time.monotonic(), threading.Event()
    terminal = sys.stderr.isatty()

    def show(end: str) -> None:
        print(f"\r{label}, {time.monotonic() - start:.0f} s", end=end, file=sys.stderr, flush=True)

    def repeat() -> None:
        while not done.wait(every):
            show("" if terminal else "\n")

    thread = threading.Thread(target=repeat, daemon=True)
    print(f"{label} (minutes at full size)", end="" if terminal else "\n", file=sys.stderr, flush=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        show("\n")
