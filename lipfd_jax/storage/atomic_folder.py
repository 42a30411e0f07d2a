"""Folders that appear under their name whole or not at all, and leave nothing behind where that fails."""

import contextlib
import os
import pathlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lipfd_jax.checkpoints.errors import find_os_error
from lipfd_jax.storage.locks import locked


@contextlib.contextmanager
def published(out: Path, what: str) -> Iterator[Path]:
    """A folder to be made beside `out`, renamed to it at the end, in place of a folder that is there.

    What a killed process left of the same `out` is removed first.

    Args:
      what: is under way, for messages: "a conversion".

    Raises:
      OSError: the disk is full, or the folder can't be written to.
      InUse: another process writes the same folder.
    """
    place = _place(out)
    with locked(place, what):
        made, old = place / "new", place / "old"
        recover(out)
        try:
            _remove_leftovers(place)
            yield made
            if out.exists():
                os.replace(out, old)
            os.replace(made, out)
        except BaseException as error:
            recover(out)
            _remove_while_written(place)
            if trouble := find_os_error(error, out):
                raise trouble from error
            raise
        shutil.rmtree(place)


def recover(out: Path) -> None:
    """Puts the folder to be replaced back where its successor did not come to stand."""
    old = _place(out) / "old"
    if old.exists() and not out.exists():
        os.replace(old, out)


def _place(out: Path) -> Path:
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


def recover_build(final: pathlib.Path, root: pathlib.Path) -> None:
    """Puts a finished build back that a kill left aside, between the two steps of a swap."""
    aside = _aside(final, root)
    if aside.exists() and not final.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(final)


@contextlib.contextmanager
def replace_build(final: pathlib.Path, root: pathlib.Path) -> Iterator[pathlib.Path]:
    """A data_dir to build in; what was built there is `final` afterwards, which stays whole if that fails.

    Args:
      final: the folder of the finished build, root/BUILDER/CONFIG/VERSION.
      root: the data_dir.
    """
    folder, aside = root / "building" / f"beside-{final.parent.name}", _aside(final, root)
    with locked(folder, "a build of the same config with --overwrite"):
        yield folder
        shutil.rmtree(aside, ignore_errors=True)
        final.rename(aside)
        (folder / final.relative_to(root)).rename(final)
    shutil.rmtree(aside)
    shutil.rmtree(folder)


def _aside(final: pathlib.Path, root: pathlib.Path) -> pathlib.Path:
    return root / "building" / f"replaced-{final.parent.name}-{final.name}"
