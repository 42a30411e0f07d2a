"""The memory of processes that a measurement starts."""

import contextlib
import os
import pathlib
import re
import threading
from collections.abc import Iterator

_PERIOD = 0.05  # seconds


@contextlib.contextmanager
def peak_of_tree() -> Iterator[list[int]]:
    """A list whose one entry becomes the most bytes any one process below this one held at once (Linux)."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(_PERIOD):
            peak[0] = max([peak[0], *(peak_bytes(pid) for pid in _below(os.getpid()))])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def memory_of_tree(root: int) -> int:
    """Bytes that a process and those below it hold now, shared pages counted once (Linux)."""
    total = 0
    for pid in _below(root):
        with contextlib.suppress(OSError):
            found = re.search(
                r"^Pss:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M
            )
            total += int(found[1]) * 1024 if found else 0
    return total


def _below(root: int) -> list[int]:
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parents[int(path.name)] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def peak_bytes(pid: int) -> int:
    """The most memory a process has held so far (Linux); 0 where that is not known."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
