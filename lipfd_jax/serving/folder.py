"""Private folder for uploads and results; removed when the server ends, or at the next start."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lipfd_jax.storage import locks

_PREFIX = "lipfd-serve-"


@contextmanager
def working_folder(parent: Path | None = None) -> Iterator[Path]:
    """Makes a folder that only this user can enter and removes it at the end.

    First removes those of killed servers. `parent` is by default the system's folder for temporary files.

    Raises:
      OSError: the folder can't be made.
    """
    parent = parent or Path(tempfile.gettempdir())
    remove_leftovers(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    with locks.lock_folder(folder, "a server"):
        try:
            yield folder
        finally:  # while it is locked: a folder without a lock is not known as a server's
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(parent: Path) -> int:
    """Removes the folders of killed servers of this user; returns their number.

    A running server holds the lock in its folder; the system releases it when the process ends.
    """
    removed = 0
    for folder in parent.glob(f"{_PREFIX}*"):
        if not _is_server_folder(folder):
            continue
        try:
            with locks.lock_folder(folder, "a server"):
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        except (locks.InUseError, OSError):
            continue
    return removed


def _is_server_folder(folder: Path) -> bool:
    """Whether it is a folder, not a link, of this user, that holds a server's lock."""
    try:
        facts = folder.lstat()
        lock = (folder / locks.LOCK_FILE).lstat()
    except OSError:
        return False
    same = facts.st_uid == lock.st_uid == os.getuid()
    return (
        same and folder.is_dir() and not folder.is_symlink() and not (folder / locks.LOCK_FILE).is_symlink()
    )
