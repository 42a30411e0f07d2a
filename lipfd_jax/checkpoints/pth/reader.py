"""Opens the weights in a PyTorch .pth file, without PyTorch and without executing anything in the file.

Tensors are read one by one, on demand: opening reads only the pickle, and other contents (such as an
optimizer) are never read.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lipfd_jax.checkpoints.errors import is_tensor_name, quote, refusal
from lipfd_jax.checkpoints.pth.archive import Member, PthArchive
from lipfd_jax.checkpoints.pth.legacy import LegacyFile, is_legacy
from lipfd_jax.checkpoints.pth.pickle import read_pickle
from lipfd_jax.checkpoints.pth.records import PickleError, StorageRecord, TensorRecord, storage_dtype


class Storages(Protocol):
    """The storages of a file."""

    members: dict[str, Member]  # by "data/KEY"

    def read_into(self, member: Member, offset: int, buffer: memoryview) -> None:
        """Fills a buffer of bytes from a member, from `offset`."""


_ENTRIES = ("model", "state_dict")  # under which training scripts store the weights
_WRAPPER = "module."  # DistributedDataParallel's prefix, on all keys or none


@dataclass(frozen=True)
class PthTensor:
    """A tensor in a .pth file: `np.asarray(tensor)` reads it into new memory.

    `offset` and `strides` count values of the storage; both were checked to stay inside it.
    """

    archive: Storages
    member: Member
    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Reads the values; raises CheckpointError if the file is damaged there."""
        if copy is False:
            raise ValueError("a tensor in a file can't be read without copying")
        array = self._read()
        return array if dtype is None else array.astype(dtype, copy=False)

    def _read(self) -> np.ndarray:
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        in_order = _is_row_major(self.shape, self.strides)
        shape = self.shape if in_order else (_extent(self.shape, self.strides),)
        array = np.empty(shape, self.dtype)
        buffer = memoryview(array.reshape(-1).view(np.uint8))
        self.archive.read_into(self.member, self.offset * self.dtype.itemsize, buffer)
        if in_order:
            return array
        strides = [stride * self.dtype.itemsize for stride in self.strides]
        return np.ascontiguousarray(np.ndarray(self.shape, self.dtype, array, strides=strides))


def open_pth(path: str | Path) -> dict[str, PthTensor]:
    """Returns the tensors of a `torch.save` file, by key: of its `model` entry, or of a bare state dict.

    The prefix `module.` is removed if all keys have it.

    Raises:
        CheckpointError: the file is damaged, holds anything but tensors, numbers, strings and their
            containers, or a tensor does not fit its storage or a storage its member; lists all such
            mismatches.
    """
    try:
        archive, value = _open_storages(path)
        entries = _find_weights(value)
    except PickleError as error:
        raise refusal(path, str(error)) from error
    problems = _find_problems(entries, archive)
    if problems or not entries:
        raise refusal(path, problems or "it holds no weights")
    wrapped = all(key.startswith(_WRAPPER) for key in entries)
    return {
        key.removeprefix(_WRAPPER) if wrapped else key: _make_tensor(entries[key], archive) for key in entries
    }


def _open_storages(path: str | Path) -> tuple[Storages, object]:
    """Returns a file's storages and its pickled value, in either format."""
    if is_legacy(path):
        legacy = LegacyFile(path)
        return legacy, legacy.value
    archive = PthArchive(path)
    return archive, read_pickle(archive.read("data.pkl"))


def _find_weights(value: object) -> Mapping[Any, Any]:
    if type(value) is not dict:
        raise PickleError(f"it holds {quote(value)}, expected a state dict or a dict with the entry 'model'")
    for entry in _ENTRIES:
        if type(value.get(entry)) is dict:
            return value[entry]
    return value


def _find_problems(entries: Mapping[object, object], archive: Storages) -> list[str]:
    """Checks entries against the archive and against earlier uses of the same storage."""
    problems: list[str] = []
    storages: dict[str, StorageRecord] = {}
    for key, record in entries.items():
        if type(record) is not TensorRecord or not is_tensor_name(key):
            problems.append(f"{quote(str(key))} holds {quote(record)}, expected tensors under names")
            continue
        first = storages.setdefault(record.storage.key, record.storage)
        if record.storage != first:
            problems.append(
                f"{quote(key)} declares another type or size of its storage than an earlier tensor"
            )
        elif problem := _storage_problem(first, archive) or _view_problem(record):
            problems.append(f"{quote(key)} {problem}")
    return problems


def _storage_problem(storage: StorageRecord, archive: Storages) -> str:
    member = archive.members.get(f"data/{storage.key}")
    if member is None:
        return f"is in the storage {quote(storage.key)}, which is missing"
    size = storage.values * storage_dtype(storage).itemsize
    if size != member.size:
        values = f"{storage.values:,} values of {storage.dtype}"
        return f"declares a storage of {values} ({size:,} bytes), but the file has {member.size:,} bytes"
    return ""


def _view_problem(record: TensorRecord) -> str:
    values, shape = record.storage.values, list(record.shape)
    if (
        math.prod(shape) > values
    ):  # also refuses stride 0, which repeats values: a small file must not become large
        return f"has the shape {shape}, but its storage has only {values:,} values"
    end = record.offset + _extent(record.shape, record.strides)
    if end > values:
        return f"extends to value {end:,} of its storage, which has {values:,}"
    return ""


def _make_tensor(record: TensorRecord, archive: Storages) -> PthTensor:
    member = archive.members[f"data/{record.storage.key}"]
    return PthTensor(
        archive, member, storage_dtype(record.storage), record.shape, record.strides, record.offset
    )


def _extent(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Returns the number of storage values from the tensor's first to its last."""
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))


def _is_row_major(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
