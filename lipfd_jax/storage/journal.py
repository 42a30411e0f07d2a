"""Append-only files that survive a killed process: whole lines count, a partial last line is cut off."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def keep_whole_lines(content: bytes) -> bytes:
    """The content up to and including its last line end."""
    return content[: content.rfind(b"\n") + 1]


def cut_partial_line(path: Path) -> None:
    """Truncates a file after its last line end, where a killed process left more; a missing file stays so."""
    content = path.read_bytes() if path.exists() else b""
    whole = keep_whole_lines(content)
    if len(whole) != len(content):
        os.truncate(path, len(whole))


def append_json_line(path: Path, line: Mapping[str, Any]) -> None:
    """Appends one JSON object as a line."""
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines; none where there is no file."""
    if path.exists():
        with open(path, encoding="utf-8") as stream:
            yield from map(json.loads, stream)
