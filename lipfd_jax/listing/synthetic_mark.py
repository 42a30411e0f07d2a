"""Mark of drawn data: builds, checkpoints and verdicts made from it say that they know drawn people only."""

import os
from collections.abc import Mapping
from pathlib import Path

from lipfd_jax.storage import files

SYNTHETIC_MARK = "synthetic.json"  # in the folder of clips.csv, or of composites


def mark_synthetic(folder: str | os.PathLike, made_of: Mapping[str, object]) -> None:
    """Marks a folder as drawn, with the settings that drew it. Raises OSError where it can't be written."""
    files.write_json(Path(folder) / SYNTHETIC_MARK, dict(made_of))


def is_synthetic(folder: Path) -> bool:
    """Whether a folder of clips or composites, local or in a bucket, is marked as drawn."""
    return (folder / SYNTHETIC_MARK).is_file()
