"""Compressed streams, read forwards in bounded memory and to their ends, where their checksums are."""

import bz2
import contextlib
import gzip
import io
import lzma
import pathlib
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, cast

from lipfd_jax.listing.clips import ClipError

MAX_HEADER = 1 << 20  # bytes of names and headers before a member of a tar
MAX_DICTIONARY = 256 << 20  # bytes xz may allocate; its strongest preset needs 64 MiB
_BLOCK = 1 << 18


@contextlib.contextmanager
def open_compressed(path: pathlib.Path) -> Iterator[IO[bytes]]:
    """Opens a file's content, decompressed if its first bytes are those of gzip, bz2 or xz."""
    with open(path, "rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file))
        elif start.startswith(b"BZh"):
            yield cast(IO[bytes], bz2.BZ2File(file))
        elif start == b"\xfd7zXZ\x00":
            yield io.BufferedReader(_XzReader(file))
        else:
            yield file


class _XzReader(io.RawIOBase):
    """Reads .xz as `lzma.LZMAFile` does, but limits the memory that a header may request."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._decoder = self._new()
        self._input = b""

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DICTIONARY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decoder.eof:  # several streams may follow each other, separated by zeros
                self._input = (self._decoder.unused_data or self._file.read(_BLOCK)).lstrip(b"\0")
                if not self._input:
                    return 0
                self._decoder = self._new()
            elif self._decoder.needs_input and not self._input:
                self._input = self._file.read(_BLOCK)
                if not self._input:
                    raise EOFError("truncated before the end of the compressed data")
            data, self._input = self._decoder.decompress(self._input, max_length=len(buffer)), b""
            if data:
                buffer[: len(data)] = data
                return len(data)


class TarStream:
    """A stream for tarfile that limits the headers, which tarfile holds in memory as a whole."""

    def __init__(self, stream: IO[bytes], archive: pathlib.Path):
        self._stream, self._archive = stream, archive
        self._count, self._is_data = 0, False

    def read(self, size: int) -> bytes:
        """Reads as a file does. Raises ClipError for a header of more than `MAX_HEADER` bytes."""
        data = self._stream.read(size)
        self._count += 0 if self._is_data else len(data)
        if self._count > MAX_HEADER + _BLOCK:
            raise ClipError(
                f"{self._archive}: over {MAX_HEADER >> 20} MiB of header, more than any name needs"
            )
        return data

    def read_header(self) -> None:
        """Resets the count after a complete header."""
        self._count = 0

    @contextlib.contextmanager
    def reading_data(self) -> Iterator[None]:
        """Excludes a member's content, read within, from the count."""
        self._is_data = True
        yield
        self._is_data = False

    def drain(self) -> None:
        """Reads what follows the last member, where compressed streams have their checksums."""
        while self._stream.read(_BLOCK):
            pass


class StrictHeader(tarfile.TarInfo):
    """A tar header. tarfile treats a damaged one as the end; here only the end mark is the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "StrictHeader":
        """As in tarfile. Raises ReadError for bytes that are neither a header nor the end mark."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # undocumented
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"damaged or truncated: {error}") from error


def has_small_dictionary(archive: pathlib.Path, member: zipfile.ZipInfo) -> bool:
    """Whether a zip member compressed with LZMA needs a dictionary of at most `MAX_DICTIONARY`."""
    with open(archive, "rb") as file:
        file.seek(member.header_offset + 26)
        file.seek(sum(struct.unpack("<HH", file.read(4))) + 5, io.SEEK_CUR)  # names, version, sizes, one byte
        return struct.unpack("<I", file.read(4))[0] <= MAX_DICTIONARY
