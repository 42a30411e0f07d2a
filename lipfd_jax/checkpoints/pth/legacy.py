"""Reads the format of torch.save before PyTorch 1.6: pickles, then the values of each storage.

Such files hold no checksums; their sizes must match exactly.
"""

import struct
from pathlib import Path

from lipfd_jax.checkpoints.errors import quote, refusal
from lipfd_jax.checkpoints.pth.archive import Member
from lipfd_jax.checkpoints.pth.pickle import MAX_BYTES, read_first_pickle
from lipfd_jax.checkpoints.pth.records import StorageRecord, expect_type, storage_dtype

_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # a pickle of one large number
_VERSION = 1001
_COUNT = struct.Struct("<q")  # number of values, before the values of each storage


def is_legacy(path: str | Path) -> bool:
    """Whether a file begins like those of torch.save before PyTorch 1.6."""
    if not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class LegacyFile:
    """The pickled value and the storages of a file, as members "data/KEY" like those of a PthArchive."""

    def __init__(self, path: str | Path) -> None:
        """Reads all but the storages' values.

        Raises:
            CheckpointError: the storages don't fill the rest of the file as the pickle declares them.
            PickleError: a pickle is broken, or holds anything but plain values and tensors.
        """
        self.path = Path(path)
        with open(path, "rb") as file:
            data = file.read(min(MAX_BYTES, self.path.stat().st_size))
        version = read_first_pickle(data, len(_MAGIC))
        system = read_first_pickle(data, version.end)
        fields = expect_type(system.value, dict, "the description of a system")
        if version.value != _VERSION or fields.get("little_endian") is not True:
            raise refusal(path, f"expected protocol {_VERSION} of torch.save, little-endian")
        found = read_first_pickle(data, system.end)
        keys = read_first_pickle(data, found.end)
        self.value = found.value
        self.members = self._locate(keys.value, found.storages, keys.end)

    def read_into(self, member: Member, offset: int, buffer: memoryview) -> None:
        """Fills a buffer of bytes from a member, from `offset`; raises CheckpointError if the file ends."""
        if offset < 0 or offset + len(buffer) > member.size:
            raise refusal(self.path, f"bytes outside {quote(member.name)} were requested")
        with open(self.path, "rb") as file:
            file.seek(member.start + offset)
            if file.readinto(buffer) != len(buffer):
                raise refusal(self.path, f"it ends inside {quote(member.name)}")

    def _locate(self, keys: object, storages: dict[str, StorageRecord], start: int) -> dict[str, Member]:
        members: dict[str, Member] = {}
        with open(self.path, "rb") as file:
            for key in expect_type(keys, list, "the storages' keys"):
                name = f"data/{expect_type(key, str, 'a storage')}"
                if key not in storages or name in members:
                    raise refusal(self.path, f"it holds the storage {quote(key)} twice, or for no tensor")
                file.seek(start)
                count = file.read(_COUNT.size)
                if count != _COUNT.pack(storages[key].values):
                    raise refusal(self.path, f"its storage {quote(key)} has another size than declared")
                size = storages[key].values * storage_dtype(storages[key]).itemsize
                members[name] = Member(name, start + _COUNT.size, size, 0)
                start += _COUNT.size + size
        if (size := self.path.stat().st_size) != start:
            raise refusal(self.path, f"it has {size:,} bytes, expected {start:,}: copy it again")
        return members
