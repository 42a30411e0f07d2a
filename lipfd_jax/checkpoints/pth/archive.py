"""Reads the members of a .pth file's zip without trusting the zip's own directory."""

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from lipfd_jax.checkpoints.errors import quote, refusal

_MAX_READ = 16 << 20  # largest member that is read whole
_MAX_DIRECTORY = 8 << 20  # read whole by zipfile; a member takes about 100 bytes in it
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_ZIP = b"PK\x03\x04"
_UNREADABLE = (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OverflowError, OSError)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Member:
    """An uncompressed member: position of its bytes in the file, and their checksum (0: not computed)."""

    name: str
    start: int
    size: int
    crc: int


class PthArchive:
    """Members of a .pth file by name inside its folder, such as "data.pkl" or "data/0".

    Members are stored uncompressed, do not overlap and are inside the file. The file is opened anew for every
    read. Bytes read are compared with the checksum, so that a damaged download does not pass as weights.
    """

    def __init__(self, path: str | Path) -> None:
        """Reads and checks the directory; raises CheckpointError unless `torch.save` could have written
        it.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise refusal(path, "there is no such file")
        with open(self.path, "rb") as file:
            infos = self._read_directory(file)
            folder = self._find_folder([info.filename for info in infos])
            self._check_members(infos)
            members = [self._locate(file, info) for info in infos]
        _check_apart(self.path, members, infos)
        self.members = {member.name.removeprefix(folder): member for member in members}
        self._verified: set[str] = set()
        if "data.pkl" not in self.members:
            raise refusal(path, "it is a zip file but holds no data.pkl; expected a file from torch.save")
        # PyTorch before 2.1 does not store it.
        order = self.read("byteorder") if "byteorder" in self.members else b"little"
        if order != b"little":
            raise refusal(path, f"its byte order is {quote(repr(order))}, expected little-endian")

    def read(self, name: str) -> bytes:
        """Returns a small member's bytes; raises CheckpointError if it is missing, large or damaged."""
        member = self.members.get(name)
        if member is None or member.size > _MAX_READ:
            raise refusal(self.path, f"its member {name} is {'missing' if member is None else 'too large'}")
        buffer = bytearray(member.size)
        self.read_into(member, 0, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, member: Member, offset: int, buffer: memoryview) -> None:
        """Fills a buffer of bytes from a member, from `offset`; raises CheckpointError if it is damaged."""
        if offset < 0 or offset + len(buffer) > member.size:
            raise refusal(self.path, f"bytes outside {quote(member.name)} were requested")
        whole = len(buffer) == member.size
        with open(self.path, "rb") as file:
            if not whole and member.name not in self._verified:
                self._compare_crc(member, self._compute_crc(file, member))
            file.seek(member.start + offset)
            if file.readinto(buffer) != len(buffer):
                raise refusal(self.path, f"it ends inside {quote(member.name)}")
        if whole:
            self._compare_crc(member, zlib.crc32(buffer))

    def _read_directory(self, file: io.BufferedReader) -> list[zipfile.ZipInfo]:
        start = file.read(300)
        if not start.startswith(_ZIP):  # only files with two meanings have other bytes before the zip
            raise refusal(self.path, _describe_non_zip(start))
        try:
            with zipfile.ZipFile(_LimitedFile(file)) as archive:
                return archive.infolist()
        except _UNREADABLE as error:
            raise refusal(
                self.path,
                f"its zip directory can't be read ({error}); the file is truncated or damaged: copy it again",
            ) from error

    def _check_members(self, infos: list[zipfile.ZipInfo]) -> None:
        problems, seen = [], set()
        for info in infos:
            name = info.filename
            if name in seen:
                problems.append(f"its zip has the member {quote(name)} twice")
            seen.add(name)
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                problems.append(
                    f"its member {quote(name)} is compressed; torch.save stores members uncompressed"
                )
            if info.flag_bits & 0x1:
                problems.append(f"its member {quote(name)} is encrypted")
        if problems:
            raise refusal(self.path, problems)

    def _locate(self, file: io.BufferedReader, info: zipfile.ZipInfo) -> Member:
        """Locates a member by its own header, which must agree with the directory on name and storage."""
        if 0 <= info.header_offset < 1 << 62:
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER.size)
            if len(header) == _LOCAL_HEADER.size and header.startswith(_ZIP):
                fields = _LOCAL_HEADER.unpack(header)
                name, method, lengths = file.read(fields[9]), fields[3], fields[9:11]
                if method == zipfile.ZIP_STORED and name == _raw_name(info):
                    start = info.header_offset + _LOCAL_HEADER.size + sum(lengths)
                    return Member(info.filename, start, info.file_size, info.CRC)
        raise refusal(self.path, f"its member {quote(info.filename)} is not where its directory entry points")

    def _find_folder(self, names: list[str]) -> str:
        """Returns the single folder of all members, with its slash."""
        folders = {name[: name.find("/") + 1] for name in names}
        if len(folders) != 1 or folders <= {"", "/", "./", "../"}:
            raise refusal(
                self.path, f"its {len(names)} members are not in one folder, as torch.save puts them"
            )
        (folder,) = folders
        if any(name.startswith((f"{folder}constants.pkl", f"{folder}code/")) for name in names):
            raise refusal(
                self.path,
                "it is a TorchScript program, not weights; with PyTorch: "
                "torch.save(torch.jit.load(PATH, map_location='cpu').state_dict(), NEW_PATH)",
            )
        return folder

    def _compare_crc(self, member: Member, crc: int) -> None:
        if member.crc not in (0, crc):
            raise refusal(
                self.path,
                f"its member {quote(member.name)} is damaged (its checksum differs); copy the file again",
            )
        self._verified.add(member.name)

    def _compute_crc(self, file: io.BufferedReader, member: Member) -> int:
        file.seek(member.start)
        crc, left = 0, member.size
        while left and (chunk := file.read(min(left, _CHUNK))):
            crc, left = zlib.crc32(chunk, crc), left - len(chunk)
        return crc


class _LimitedFile:
    """A file from which zipfile reads the directory; refuses reads that only a hostile directory needs."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, count: int = -1) -> bytes:
        data = self._file.read(min(count, _MAX_DIRECTORY + 1) if count >= 0 else _MAX_DIRECTORY + 1)
        if len(data) > _MAX_DIRECTORY:
            raise zipfile.BadZipFile("its directory is larger than any of torch.save's")
        return data


def _check_apart(path: Path, members: list[Member], infos: list[zipfile.ZipInfo]) -> None:
    """Checks that members, headers included, do not overlap and end inside the file."""
    size = path.stat().st_size
    spans = sorted((i.header_offset, m.start + m.size, m.name) for i, m in zip(infos, members, strict=True))
    problems, end = [], 0
    for start, stop, name in spans:
        if start < end:
            problems.append(f"its member {quote(name)} overlaps another")
        if stop > size:
            problems.append(f"its member {quote(name)} extends beyond the end of the file")
        end = max(end, stop)
    if problems:
        raise refusal(path, problems)


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")


def _describe_non_zip(start: bytes) -> str:
    if start[257:262] == b"ustar":
        return (
            "it is a tar file, as the first versions of PyTorch wrote, which is not read here; with PyTorch, "
            "and only if you trust its origin, since loading can run code in it: "
            "torch.save(torch.load(PATH, map_location='cpu', weights_only=False), NEW_PATH)"
        )
    page = start.lstrip().lower().startswith((b"<!doctype", b"<html"))
    return "it is a web page, not weights: download it again" if page else "it is not a file from torch.save"
