"""Unpacks a zip or tar someone else made, without letting it write elsewhere or fill the disk."""

import fcntl
import os
import pathlib
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from lipfd_jax.listing.clips import ClipError

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_FILES = 500_000
MAX_FILE_BYTES = 16 << 30
MAX_RATIO = 50  # unpacked bytes per packed byte; videos and sound hardly shrink
RATIO_GRACE = 1 << 30  # below this much output no ratio is asked for
SPARE_BYTES = 1 << 30  # left free on the disk
_BLOCK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError)


def unpack(archive: pathlib.Path, below: pathlib.Path) -> pathlib.Path:
    """Returns the folder an archive was unpacked to, unpacking it unless that was done before.

    Raises:
      ClipError: the file is no archive, is damaged or encrypted, or a member is a link or device, leaves the
        folder, occurs twice or is out of proportion. Nothing stays behind then.
    """
    info = archive.stat()
    target = below / f"unpacked-{archive.name}-{info.st_size}-{info.st_mtime_ns}"
    below.mkdir(parents=True, exist_ok=True)
    folder = os.open(below, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # builds of other configs share what is unpacked
        return target if target.is_dir() else _unpack(archive, target, info.st_size)
    finally:
        os.close(folder)


def _unpack(archive: pathlib.Path, target: pathlib.Path, size: int) -> pathlib.Path:
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _copy(_members(archive), partial, archive, size)
    except _DAMAGE as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ClipError(f"{archive}: can't be unpacked: {error}") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return partial.rename(target)


def _members(archive: pathlib.Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yields (name, open stream) of the files inside; refuses whatever is neither a file nor a folder."""
    if zipfile.is_zipfile(archive):
        return _zip_members(archive)
    if tarfile.is_tarfile(archive):
        return _tar_members(archive)
    raise ClipError(f"{archive}: neither a zip nor a tar; expected one of {' '.join(ARCHIVE_SUFFIXES)}")


def _zip_members(archive: pathlib.Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ClipError(f"{archive}: {member.filename} is a link or device; unpack it yourself")
            if member.is_dir():
                continue
            with packed.open(member) as stream:
                yield member.filename, stream


def _tar_members(archive: pathlib.Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.isdir():
                continue
            if not member.isreg():
                raise ClipError(f"{archive}: {member.name} is a link or device; unpack it yourself")
            yield member.name, packed.extractfile(member)


def _copy(
    members: Iterator[tuple[str, IO[bytes]]], folder: pathlib.Path, archive: pathlib.Path, packed: int
) -> None:
    free = shutil.disk_usage(folder).free - SPARE_BYTES
    allowed = min(free, max(RATIO_GRACE, MAX_RATIO * packed))
    count = total = 0
    for name, stream in members:
        path = _inside(name, folder, archive)
        if path is None:
            continue
        count += 1
        if count > MAX_FILES:
            raise ClipError(f"{archive}: more than {MAX_FILES} files")
        total += _write(stream, path, min(MAX_FILE_BYTES, allowed - total), f"{archive}: {name}")


def _inside(name: str, folder: pathlib.Path, archive: pathlib.Path) -> pathlib.Path | None:
    """The path a member may be written to; None for what macOS adds beside the files."""
    parts = pathlib.PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0] or "\0" in name:
        raise ClipError(f"{archive}: {name!r} would be written outside the folder")
    if parts[0] == "__MACOSX" or parts[-1] == ".DS_Store":
        return None
    return folder.joinpath(*parts)


def _write(stream: IO[bytes], path: pathlib.Path, allowed: int, name: str) -> int:
    """Copies at most `allowed` bytes, counting what comes out rather than what the archive declares."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with open(path, "xb") as file:
        while block := stream.read(_BLOCK):
            written += len(block)
            if written > allowed:
                raise ClipError(
                    f"{name} is too large (a file may have {MAX_FILE_BYTES >> 30} GiB, all together "
                    f"{MAX_RATIO} times the archive and what the disk has left)"
                )
            file.write(block)
    return written
