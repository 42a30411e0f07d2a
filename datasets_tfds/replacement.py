"""Builds beside a finished build and puts the new one in its place at the end: there always is one."""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

from lipfd_jax.locks import locked


def recover(final: pathlib.Path, root: pathlib.Path) -> None:
    """Puts a finished build back that a kill left aside, between the two steps of a swap."""
    aside = _aside(final, root)
    if aside.exists() and not final.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(final)


@contextlib.contextmanager
def beside(final: pathlib.Path, root: pathlib.Path) -> Iterator[pathlib.Path]:
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
