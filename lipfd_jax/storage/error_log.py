"""Log of tracebacks: what was unexpected in one file, kept while the others are worked on."""

import datetime
from pathlib import Path

ERROR_LOG = "errors.log"


def append_traceback(folder: Path, name: str, traceback: str) -> Path:
    """Appends the traceback of what happened to `name` to a folder's log; returns the log's path."""
    log, now = folder / ERROR_LOG, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with open(log, "a", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(f"{now} {name}\n{traceback.rstrip()}\n\n")
    return log
