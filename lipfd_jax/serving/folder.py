"""The server's folder for uploads and results: private, and gone with it, at the latest next time."""

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
    """A new folder that only this user can enter, removed at the end; first removes those of servers that
    were killed. `parent` is by default the system's folder for temporary files.

    Raises OSError where it can't be made.
    """
    parent = parent or Path(tempfile.gettempdir())
    sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        with locks.lock_folder(folder, "a server"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> int:
    """Removes the folders that killed servers of this user left behind, and returns how many.

    A living server holds the lock in its folder; the system drops it with the process, however that ends.
    """
    removed = 0
    for folder in parent.glob(f"{_PREFIX}*"):
        if not _ours(folder):
            continue
        try:
            with locks.lock_folder(folder, "a server"):
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        except (locks.InUseError, OSError):
            continue
    return removed


def _ours(folder: Path) -> bool:
    """Whether it is a folder, no link, of this user, in which a server's lock lies."""
    try:
        facts = folder.lstat()
        lock = (folder / locks.LOCK_FILE).lstat()
    except OSError:
        return False
    same = facts.st_uid == lock.st_uid == os.getuid()
    return (
        same and folder.is_dir() and not folder.is_symlink() and not (folder / locks.LOCK_FILE).is_symlink()
    )
