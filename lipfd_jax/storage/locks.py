"""Locks of folders against two writers; a lock is released when its process ends, in whatever way."""

import contextlib
import fcntl
import json
import os
import pathlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

from etils import epath

from lipfd_jax.storage import files

LOCK_FILE = "lock"
_EXPIRY_SECONDS = 300.0  # after its last renewal; then a lock in a bucket counts as left behind
_RENEWAL_SECONDS = 60.0  # between renewals of a lock in a bucket


class InUseError(ValueError):
    """Another process writes the folder; the message names both."""


@contextlib.contextmanager
def lock_folder(folder: str | os.PathLike, what: str) -> Iterator[None]:
    """Holds the lock of a folder, which is created if it does not exist.

    On a disk the system releases the lock with its process; the file goes when the lock is released, and the
    temporary files of killed processes when one is taken. Buckets have no locks: there an object is renewed
    every minute while the process lives, and counts as left behind five minutes after the last renewal; two
    processes that start within the same second can both get it.

    Args:
      folder: the folder to be written to, local or gs://...
      what: names the work in messages: "an evaluation", "a training run".

    Raises:
      InUseError: another process holds it.
      OSError: the folder can't be created or written to.
    """
    lock = _lock_in_bucket if "://" in str(folder) else _lock_on_disk
    with lock(epath.Path(folder), what):
        yield


@contextlib.contextmanager
def _lock_on_disk(folder: epath.Path, what: str) -> Iterator[None]:
    path = pathlib.Path(folder) / LOCK_FILE
    with _open_locked(path, folder, what) as file:
        try:
            try:
                file.truncate(0)
                file.write(_describe_owner().encode())
            except OSError as error:  # it names no file
                raise OSError(error.errno, error.strerror, str(path)) from error
            files.remove_leftovers(path.parent)
            yield
        finally:
            # While it is locked: whoever has opened it finds out in `_open_locked`.
            if _is_at(file, path):
                with contextlib.suppress(OSError):  # a folder that can't be written to any more
                    path.unlink()


def _open_locked(path: pathlib.Path, folder: epath.Path, what: str) -> BinaryIO:
    """Opens and locks the file at a path, which an earlier holder may remove between the two."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = open(path, "a+b", buffering=0)  # noqa: SIM115 returned
        except FileNotFoundError:  # the folder went with its holder
            if not folder.exists():
                continue
            raise
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            owner = file.read().decode(errors="replace")
            file.close()
            raise InUseError(_describe_use(folder, what, owner)) from error
        if _is_at(file, path):
            return file
        file.close()


def _is_at(file: BinaryIO, path: pathlib.Path) -> bool:
    """Whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except OSError:
        return False


@contextlib.contextmanager
def _lock_in_bucket(folder: epath.Path, what: str) -> Iterator[None]:
    path, mine, done = folder / LOCK_FILE, f"{_describe_owner()} {time.time_ns()}", threading.Event()
    if path.exists():
        left = json.loads(path.read_text() or "{}")
        if time.time() - left.get("renewed", 0) < _EXPIRY_SECONDS:
            raise InUseError(_describe_use(folder, what, left.get("owner", "")))

    def renew() -> None:
        path.write_text(json.dumps({"owner": mine, "renewed": time.time()}))

    def keep() -> None:
        while not done.wait(_RENEWAL_SECONDS):
            renew()

    renew()
    if json.loads(path.read_text())["owner"] != mine:
        raise InUseError(_describe_use(folder, what, "another process"))
    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        path.unlink(missing_ok=True)


def _describe_owner() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _describe_use(folder: epath.Path, what: str, owner: str) -> str:
    return (
        f"{folder}: {what} is under way there ({owner.strip() or 'another process'}); "
        "wait for it to end, or use another folder"
    )
