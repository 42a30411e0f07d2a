"""Claims of folders: a JSON note names the inputs of a folder's files, so that other inputs are refused."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lipfd_jax.storage import files


def claim_note(
    note: Path, wanted: Mapping[str, Any], find_conflict: Callable[[dict[str, Any]], str]
) -> dict[str, Any] | None:
    """Writes `wanted` as a folder's note, or checks the note that is there.

    Args:
      find_conflict: returns why a folder with the given note can't be used; "" where it can.

    Returns:
      The note that was there; None where it was written now.

    Raises:
      ValueError: a conflict, or a damaged note; the folder or note is named.
      OSError: the note can't be read or written.
    """
    if not note.exists():
        files.write_json(note, dict(wanted))
        return None
    found = read_note(note)
    if conflict := find_conflict(found):
        raise ValueError(f"{note.parent}: {conflict}; give another --output, or --overwrite to start anew")
    return found


def read_note(note: Path) -> dict[str, Any]:
    """The content of a folder's note. Raises ValueError where it is damaged."""
    try:
        return dict(json.loads(note.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{note}: can't be read ({error}); --overwrite starts anew") from error
