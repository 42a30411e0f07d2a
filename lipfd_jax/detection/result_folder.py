"""A video's folder of results: its name, the files in it, and an earlier result that is still valid."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lipfd_jax.detection.result import SCHEMA
from lipfd_jax.listing.names import encode_name

RESULT, PAGE = "result.json", "report.html"


def make_folder_name(path: Path, checksum: str) -> str:
    """Makes the name of a result's folder: the file's name in harmless letters, and part of its checksum.

    Names in other letters than ASCII's, which lose them, also get part of a checksum of their own.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.name).strip("._")[:80]
    own = "" if path.name.isascii() else f"-{hashlib.sha256(encode_name(path.name)).hexdigest()[:4]}"
    return f"{name or 'video'}-{checksum[:8]}{own}"


def read_earlier_result(folder: Path, fingerprint: Callable[[], str]) -> dict[str, Any] | None:
    """Reads an earlier result.json of the same file, checkpoint and settings; None if there is none.

    `fingerprint` is called only where there is a file, as it waits for the checkpoint to be opened.
    """
    path = folder / RESULT
    if not path.exists() or not (folder / PAGE).exists():
        return None
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError:
        return None
    same = (
        isinstance(values, dict)
        and values.get("schema") == SCHEMA
        and values.get("identity") == fingerprint()
    )
    return values if same else None
