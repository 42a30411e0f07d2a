"""Checkpoints that ship inside the package, by name: `lipfd:small`."""

import os
from pathlib import Path

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.packed import CARD, is_packed

PREFIX = "lipfd:"
SMALL = f"{PREFIX}small"
NAMES = (SMALL,)
FOLDER = Path(__file__).parents[1] / "weights"  # one packed checkpoint per name
NO_CHECKPOINT = """no checkpoint given, and this installation holds no weights of its own. The authors publish
theirs (ckpt.pth, about 1.8 GB) through their repository, https://github.com/AaronComo/LipFD, in the section
Validation of its README. Convert them once (about 1.7 GB of memory, about a minute):

    lipfd convert ckpt.pth released

and give --checkpoint=released. A run of `lipfd train`, or of `lipfd demo`, serves as well."""


def is_shipped_name(path: str | os.PathLike) -> bool:
    """Whether a path is a name of a shipped checkpoint, `lipfd:...`, instead of a place on disk."""
    return isinstance(path, str) and path.startswith(PREFIX)


def find_shipped(name: str) -> Path:
    """Returns the folder of a shipped checkpoint.

    Raises:
      CheckpointError: there is no such name, or the weights are not installed.
    """
    if name not in NAMES:
        raise CheckpointError(
            f"{name}: no checkpoint of that name ships with lipfd_jax; known: {', '.join(NAMES)}"
        )
    folder = _folder_of(name)
    if not is_packed(folder):
        raise CheckpointError(f"{name}: this installation holds no weights of that name ({folder} is absent)")
    return folder


def has_default() -> bool:
    """Whether the weights that are used when no checkpoint is named are installed."""
    return is_packed(_folder_of(SMALL))


def find_name(path: str | os.PathLike) -> str:
    """Returns the name of the shipped checkpoint at this path; "" for any other checkpoint."""
    return next((name for name in NAMES if Path(path) == _folder_of(name)), "")


def describe_default() -> str:
    """Returns the line that says which checkpoint is used when none is named."""
    return (
        f"no checkpoint given: using {SMALL}, the detector that ships with lipfd_jax; what it can and can't "
        f"do: {_folder_of(SMALL) / CARD}"
    )


def _folder_of(name: str) -> Path:
    return FOLDER / name.removeprefix(PREFIX)
