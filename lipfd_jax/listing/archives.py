"""Unpacks untrusted zip and tar archives, confined to their folder and with limits on disk and memory."""

import errno
import fcntl
import lzma
import os
import pathlib
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, cast

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.compression import StrictHeader, TarStream, has_small_dictionary, open_compressed
from lipfd_jax.listing.names import escape_controls

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_FILES = 500_000
MAX_FILE_BYTES = 16 << 30
MAX_RATIO = 50  # unpacked bytes per packed byte; video and sound hardly compress
RATIO_GRACE = 1 << 30  # bytes of output below which the ratio is not checked
SPARE_BYTES = 1 << 30  # kept free on the disk
_BLOCK = 1 << 20
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(RuntimeError, ValueError, OverflowError, IndexError),  # raised by the libraries for malformed headers
)
# System errors caused by a member's name alone: too long, exists already, a file in place of a folder.
_NAMES = {errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL}


def unpack_archive(archive: pathlib.Path, below: pathlib.Path) -> pathlib.Path:
    """Returns the folder of an unpacked archive, unpacking it unless that was done before.

    Reads everything to its end, the archive's own too, so that all its checksums are compared.

    Raises:
      ClipError: the file is not an archive, is damaged or encrypted, or a member is a link or device, leaves
        the folder, occurs twice or is disproportionately large.
      OSError: the disk is full or fails. No partial output remains in either case.
    """
    info = archive.stat()
    target = below / f"unpacked-{archive.name}-{info.st_size}-{info.st_mtime_ns}"
    below.mkdir(parents=True, exist_ok=True)
    folder = os.open(below, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # builds of other configs share unpacked archives
        return target if target.is_dir() else _unpack_to(archive, target, info.st_size)
    finally:
        os.close(folder)


def _unpack_to(archive: pathlib.Path, target: pathlib.Path, size: int) -> pathlib.Path:
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _copy_members(_open_members(archive), partial, archive, size)
        return partial.rename(target)
    except (*_DAMAGE, OSError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, ClipError):
            raise
        # gzip and bz2 report damage as OSError without errno; one with errno comes from the system.
        if isinstance(error, OSError) and error.errno is not None and error.errno not in _NAMES:
            raise
        raise ClipError(f"{archive}: can't be unpacked: {escape_controls(str(error))}") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _open_members(archive: pathlib.Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yields (name, open stream) of the files inside; refuses members that are neither files nor folders."""
    return _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)


def _zip_members(archive: pathlib.Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ClipError(f"{archive}: {member.filename!r} is a link or device; unpack it yourself")
            if member.is_dir():
                continue
            if member.compress_type == zipfile.ZIP_LZMA and not has_small_dictionary(archive, member):
                raise ClipError(f"{archive}: {member.filename!r} needs too much memory to unpack")
            with packed.open(member) as stream:
                yield member.filename, stream


def _tar_members(archive: pathlib.Path) -> Iterator[tuple[str, IO[bytes]]]:
    with open_compressed(archive) as stream:
        tar = TarStream(stream, archive)
        with _open_tar(tar, archive) as packed:
            for member in packed:
                tar.read_header()
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise ClipError(f"{archive}: {member.name!r} is a link or device; unpack it yourself")
                with tar.reading_data():
                    yield member.name, cast(IO[bytes], packed.extractfile(member))  # None for links only
            packed.members = []  # type: ignore[attr-defined]  # undocumented; they would grow
        tar.drain()


def _open_tar(tar: TarStream, archive: pathlib.Path) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=cast(Any, tar), mode="r|", bufsize=_BLOCK // 8, tarinfo=StrictHeader)
    except tarfile.ReadError as error:
        expected = " ".join(ARCHIVE_SUFFIXES)
        raise ClipError(f"{archive}: not an archive, or damaged ({error}); expected {expected}") from error


def _copy_members(
    members: Iterator[tuple[str, IO[bytes]]], folder: pathlib.Path, archive: pathlib.Path, packed: int
) -> None:
    free = shutil.disk_usage(folder).free - SPARE_BYTES
    if free <= 0:
        raise OSError(errno.ENOSPC, f"less than {SPARE_BYTES >> 30} GiB are free for unpacking", str(folder))
    allowed = min(free, max(RATIO_GRACE, MAX_RATIO * packed))
    total = 0
    for count, (name, stream) in enumerate(members, start=1):
        path = _member_path(name, folder, archive)
        if count > MAX_FILES:
            raise ClipError(f"{archive}: more than {MAX_FILES} files")
        size = min(MAX_FILE_BYTES, allowed - total)
        total += _write_member(stream, path or os.devnull, size, f"{archive}: {escape_controls(name)}")


def _member_path(name: str, folder: pathlib.Path, archive: pathlib.Path) -> pathlib.Path | None:
    """Returns the path a member may be written to; None for files that macOS adds to archives."""
    parts = pathlib.PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0] or "\0" in name:
        raise ClipError(f"{archive}: {name!r} would be written outside the folder")
    if parts[0] == "__MACOSX" or parts[-1] == ".DS_Store":
        return None
    return folder.joinpath(*parts)


def _write_member(stream: IO[bytes], path: str | pathlib.Path, allowed: int, name: str) -> int:
    """Copies at most `allowed` bytes, counted as they are unpacked, not as the archive declares."""
    is_kept = path != os.devnull
    if is_kept:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with open(path, "xb" if is_kept else "wb") as file:
        while block := stream.read(_BLOCK):
            written += len(block)
            if written > allowed:
                raise ClipError(
                    f"{name} is too large (limits: {MAX_FILE_BYTES >> 30} GiB per file; in total "
                    f"{MAX_RATIO} times the archive, and the free space of the disk)"
                )
            file.write(block)
    return written
