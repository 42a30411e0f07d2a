"""Folders that appear under their name whole or not at all, and leave nothing behind where that fails."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lipfd_jax.storage.errors import find_os_error
from lipfd_jax.storage.locks import lock_folder


@contextlib.contextmanager
def publish_folder(out: Path, what: str) -> Iterator[Path]:
    """Yields a folder to make next to `out`, renamed to it at the end, in place of a folder there.

    Args:
      what: names the work in messages: "a conversion".

    Raises:
      OSError: the disk is full, or the folder can't be written to; also where a library has another error
        for it.
      InUseError: another process writes the same folder.
    """
    with replace_folder(out, what) as made:
        try:
            yield made
        except BaseException as error:
            if trouble := find_os_error(error, out):
                raise trouble from error
            raise


@contextlib.contextmanager
def replace_folder(
    out: Path, what: str, *, place: Path | None = None, inside: str | os.PathLike = "."
) -> Iterator[Path]:
    """Yields a path to make a folder at, which replaces `out` once it is complete.

    What a killed process left of the same `out` is removed first; on an error, `out` is as it was.

    Args:
      what: names the work in messages.
      place: where the work is done, on the same disk; by default a hidden folder next to `out`. It is locked
        meanwhile.
      inside: path of the finished folder inside the yielded one.

    Raises:
      OSError: the folder can't be written to.
      InUseError: another process does the same.
    """
    place = place or _default_place(out)
    with lock_folder(place, what):
        made, old = place / "new", place / "old"
        recover_folder(out, place)
        try:
            _remove_leftovers(place)
            yield made
            if out.exists():
                os.replace(out, old)
            os.replace(made / inside, out)
        except BaseException:
            recover_folder(out, place)
            _remove_while_written(place)
            raise
        shutil.rmtree(place)


def recover_folder(out: Path, place: Path | None = None) -> None:
    """Puts the old folder back where a kill came between the two renames of `replace_folder`."""
    old = (place or _default_place(out)) / "old"
    if old.exists() and not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        os.replace(old, out)


def _default_place(out: Path) -> Path:
    return out.absolute().with_name(f".{out.name}.writing")


def _remove_while_written(place: Path) -> None:
    """Removes a folder in which threads still write: TensorStore's do for a moment after one has failed."""
    absent = 0
    for _ in range(100):
        shutil.rmtree(place, ignore_errors=True)
        time.sleep(0.1)
        absent = 0 if place.exists() else absent + 1
        if absent == 5:
            return


def _remove_leftovers(place: Path) -> None:
    for path in place.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
