"""How much memory is free, whether the system killed a process for it, and a bound for one clip's work."""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")  # a container's own limits and counts, where there are any


def available_bytes() -> int:
    """Bytes to be had without swapping, of the machine, the container or what this process is allowed.

    A huge number if unknown.
    """
    found = re.search(r"MemAvailable:\s+(\d+) kB", _read_text(Path("/proc/meminfo")))
    free = int(found[1]) * 1024 if found else sys.maxsize
    limit, used = _read_text(_CGROUP / "memory.max").strip(), _read_text(_CGROUP / "memory.current").strip()
    contained = int(limit) - int(used) if limit.isdecimal() and used.isdecimal() else sys.maxsize
    return min(free, contained, _bytes_left("RLIMIT_DATA", "VmData"), _bytes_left("RLIMIT_AS", "VmSize"))


def count_oom_kills() -> int:
    """How many processes the system has killed for want of memory so far; only differences mean anything."""
    counts = (_read_text(Path("/proc/vmstat")), _read_text(_CGROUP / "memory.events"))
    return sum(int(count) for text in counts for count in re.findall(r"^oom_kill (\d+)$", text, re.MULTILINE))


def private_bytes() -> int:
    """Bytes of memory this process has asked for, used or not; 0 if unknown."""
    return _status_bytes("VmData")


@contextlib.contextmanager
def limit_memory(limit: int) -> Iterator[None]:
    """Lets this process ask for so many bytes in all; what asks for more meets MemoryError.

    Does nothing where the system has no such bound that it keeps (all but Linux).
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
    """Bytes left of a limit that was set for this process, as batch systems do."""
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
