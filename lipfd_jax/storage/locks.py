"""Keeps two processes from writing one folder: locks that go with their process, however it ends."""

import contextlib
import fcntl
import json
import os
import pathlib
import socket
import threading
import time
from collections.abc import Iterator

from etils import epath

NAME = "lock"
_FRESH = 300.0  # seconds after which a lock in a bucket that nobody renewed counts as left behind
_RENEWED = 60.0  # seconds between renewals there


class InUse(ValueError):
    """Another process writes the folder; the message names both."""


@contextlib.contextmanager
def locked(folder: str | os.PathLike, what: str) -> Iterator[None]:
    """Holds the lock of a folder, which is made if need be.

    On a disk the system drops the lock with the process that held it, so none is ever left behind. A bucket
    has no locks: there an object is renewed every minute while the process lives, and counts as left behind
    after five without; two processes that start within the same second can slip past it.

    Args:
      folder: what is going to be written to, local or gs://...
      what: what is under way there, for the message: "an evaluation", "a training run".

    Raises:
      InUse: another process holds it.
      OSError: the folder can't be made or written to.
    """
    held = _in_bucket if "://" in str(folder) else _on_disk
    with held(epath.Path(folder), what):
        yield


@contextlib.contextmanager
def _on_disk(folder: epath.Path, what: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    path = pathlib.Path(folder) / NAME
    with open(path, "a+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise InUse(_busy(folder, what, file.read().decode(errors="replace"))) from error
        try:
            file.truncate(0)
            file.write(_owner().encode())
        except OSError as error:  # which names no file
            raise OSError(error.errno, error.strerror, str(path)) from error
        yield


@contextlib.contextmanager
def _in_bucket(folder: epath.Path, what: str) -> Iterator[None]:
    path, mine, done = folder / NAME, f"{_owner()} {time.time_ns()}", threading.Event()
    if path.exists():
        left = json.loads(path.read_text() or "{}")
        if time.time() - left.get("renewed", 0) < _FRESH:
            raise InUse(_busy(folder, what, left.get("owner", "")))

    def renew() -> None:
        path.write_text(json.dumps({"owner": mine, "renewed": time.time()}))

    def keep() -> None:
        while not done.wait(_RENEWED):
            renew()

    renew()
    if json.loads(path.read_text())["owner"] != mine:
        raise InUse(_busy(folder, what, "another process"))
    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        path.unlink(missing_ok=True)


def _owner() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _busy(folder: epath.Path, what: str, owner: str) -> str:
    return (
        f"{folder}: {what} is under way there ({owner.strip() or 'another process'}); "
        "wait for it to end, or use another folder"
    )
