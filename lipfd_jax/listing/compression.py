"""Packed streams read forwards, in bounded memory and to their ends, where their check sums are."""

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
from typing import IO, BinaryIO

from lipfd_jax.listing.clips import ClipError

MAX_HEADER = 1 << 20  # bytes of names and headers before one member of a tar
MAX_DICTIONARY = 256 << 20  # bytes xz may ask for; its strongest preset takes 64 MiB
_BLOCK = 1 << 18


@contextlib.contextmanager
def open_compressed(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file's content, unpacked where it is gzip, bz2 or xz by its first bytes."""
    with open(path, "rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            yield gzip.GzipFile(fileobj=file)
        elif start.startswith(b"BZh"):
            yield bz2.BZ2File(file)
        elif start == b"\xfd7zXZ\x00":
            yield io.BufferedReader(_XzReader(file))
        else:
            yield file


class _XzReader(io.RawIOBase):
    """Reads .xz as `lzma.LZMAFile` does, which knows no bound for the memory a header may ask for."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._decoder = self._new()
        self._fed = b""

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DICTIONARY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        while True:
            if self._decoder.eof:  # several streams may follow each other, zeros in between
                self._fed = (self._decoder.unused_data or self._file.read(_BLOCK)).lstrip(b"\0")
                if not self._fed:
                    return 0
                self._decoder = self._new()
            elif self._decoder.needs_input and not self._fed:
                self._fed = self._file.read(_BLOCK)
                if not self._fed:
                    raise EOFError("cut off before the end of the packed data")
            data, self._fed = self._decoder.decompress(self._fed, max_length=len(buffer)), b""
            if data:
                buffer[: len(data)] = data
                return len(data)


class TarStream:
    """A stream for tarfile that counts what is read for headers, which tarfile keeps in memory whole."""

    def __init__(self, stream: IO[bytes], archive: pathlib.Path):
        self._stream, self._archive = stream, archive
        self._count, self._free = 0, False

    def read(self, size: int) -> bytes:
        """Reads like a file. Raises ClipError where a header goes on for more than `MAX_HEADER`."""
        data = self._stream.read(size)
        self._count += 0 if self._free else len(data)
        if self._count > MAX_HEADER + _BLOCK:
            raise ClipError(
                f"{self._archive}: over {MAX_HEADER >> 20} MiB of header, more than any name needs"
            )
        return data

    def read_header(self) -> None:
        """Says that a header is complete."""
        self._count = 0

    @contextlib.contextmanager
    def reading_data(self) -> Iterator[None]:
        """What is read within is a member's content."""
        self._free = True
        yield
        self._free = False

    def drain(self) -> None:
        """Reads what follows the last member, where packed streams have their check sums."""
        while self._stream.read(_BLOCK):
            pass


class StrictHeader(tarfile.TarInfo):
    """A header of a tar. tarfile takes a damaged one for the end; here only the end mark is the end."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "StrictHeader":
        """As in tarfile. Raises ReadError for what is neither a header nor the end mark."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"damaged or cut off: {error}") from error


def has_small_dictionary(archive: pathlib.Path, member: zipfile.ZipInfo) -> bool:
    """Whether a member of a zip, packed with LZMA, asks for a dictionary of at most `MAX_DICTIONARY`."""
    with open(archive, "rb") as file:
        file.seek(member.header_offset + 26)
        file.seek(sum(struct.unpack("<HH", file.read(4))) + 5, io.SEEK_CUR)  # names, version, sizes, one byte
        return struct.unpack("<I", file.read(4))[0] <= MAX_DICTIONARY
