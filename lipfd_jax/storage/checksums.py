"""SHA-256 checksums of files and of plain values."""

import hashlib
import json
import os
from typing import Any


def hash_file(path: str | os.PathLike) -> str:
    """SHA-256 of a file, 64 hexadecimal digits, read piece by piece. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_text(text: str, digits: int = 64) -> str:
    """First hexadecimal digits of the SHA-256 of UTF-8 text."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def hash_json(values: Any, digits: int = 64) -> str:
    """First hexadecimal digits of the SHA-256 of plain values, as JSON with its keys in order."""
    return hash_text(json.dumps(values, sort_keys=True), digits)
