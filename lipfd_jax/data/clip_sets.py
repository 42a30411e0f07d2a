"""Sets of clip records that a run trains on, each with a weight, and the sources that are left out."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lipfd_jax.settings import build_settings, check_ranges


@dataclasses.dataclass(frozen=True)
class ClipSetSettings:
    """Where a set of clip records is, and how often its clips are drawn."""

    path: str = "data"  # TFDS data_dir
    split: str = "train"
    builder_config: str = ""  # which built config, where the data_dir holds several
    weight: float = 1.0  # relative to clips of other sets
    label: int = -1  # 0 or 1 counts all its clips as real or fake; -1: as their records say
    validation_split: str | None = None  # "" for none; None for that of the first set

    def __post_init__(self) -> None:
        check_ranges(self, "data.more_sets: ", weight=(0, float("inf")), label=(-1, 1))


def parse_sets(values: Sequence[Mapping[str, Any]]) -> tuple[ClipSetSettings, ...]:
    """Builds the settings of sets; ValueError names an unknown or mistyped one."""
    return tuple(build_settings(ClipSetSettings(), value, "data.more_sets: ") for value in values)


def read_left_out(path: str) -> frozenset[str]:
    """Returns the sources that a file names, one a line; none for "".

    Raises:
      ValueError: the file can't be read, or names none.
    """
    if not path:
        return frozenset()
    try:
        names = frozenset(filter(None, map(str.strip, Path(path).read_text().splitlines())))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"data.left_out={path}: can't be read ({error}); expected a source a line"
        ) from error
    if not names:
        raise ValueError(f"data.left_out={path}: names no source; leave it unset to train on all")
    return names
