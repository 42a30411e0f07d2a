"""Memory: how much is available, whether the system killed processes for it, and a limit for one clip's
work.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")  # limits and counts of a container


def available_bytes() -> int:
    """Returns the bytes available without swapping, within the limits of machine, container and process.

    A huge number if unknown.
    """
    found = re.search(r"MemAvailable:\s+(\d+) kB", _read_text(Path("/proc/meminfo")))
    free = int(found[1]) * 1024 if found else sys.maxsize
    limit, used = _read_text(_CGROUP / "memory.max").strip(), _read_text(_CGROUP / "memory.current").strip()
    contained = int(limit) - int(used) if limit.isdecimal() and used.isdecimal() else sys.maxsize
    return min(free, contained, _bytes_left("RLIMIT_DATA", "VmData"), _bytes_left("RLIMIT_AS", "VmSize"))


def count_oom_kills() -> int:
    """Returns how many processes the system has killed for lack of memory; compare two counts."""
    counts = (_read_text(Path("/proc/vmstat")), _read_text(_CGROUP / "memory.events"))
    return sum(int(count) for text in counts for count in re.findall(r"^oom_kill (\d+)$", text, re.MULTILINE))


def private_bytes() -> int:
    """Returns the bytes of memory allocated by this process, used or not; 0 if unknown."""
    return _status_bytes("VmData")


@contextlib.contextmanager
def limit_memory(limit: int) -> Iterator[None]:
    """Limits this process's allocations to that many bytes in all; beyond it they raise MemoryError.

    No effect on systems that do not enforce such a limit (all but Linux).
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    lower = [value for value in (limit, before, hard) if value != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(lower), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def _bytes_left(limit: str, field: str) -> int:
    """Returns the bytes left of a limit set for this process, as batch systems do."""
    if not sys.platform.startswith("linux"):
        return sys.maxsize
    import resource

    most = resource.getrlimit(getattr(resource, limit))[0]
    return sys.maxsize if most == resource.RLIM_INFINITY else max(most - _status_bytes(field), 0)


def _status_bytes(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", _read_text(Path("/proc/self/status")))
    return int(found[1]) * 1024 if found else 0


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
