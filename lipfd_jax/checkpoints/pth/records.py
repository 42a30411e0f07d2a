"""Objects a .pth file's pickle may contain: storages, tensors as views of them, and the calls that build
them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from lipfd_jax.checkpoints.errors import quote

STORAGES = {
    "torch FloatStorage": "float32",
    "torch DoubleStorage": "float64",
    "torch HalfStorage": "float16",
    "torch BFloat16Storage": "bfloat16",
    "torch LongStorage": "int64",
    "torch IntStorage": "int32",
    "torch ShortStorage": "int16",
    "torch CharStorage": "int8",
    "torch ByteStorage": "uint8",
    "torch BoolStorage": "bool",
}
_MAX_DIMENSIONS = 16


class PickleError(ValueError):
    """The pickle is broken, or holds something other than plain values and tensors."""


@dataclass(frozen=True, slots=True)
class StorageRecord:
    """A storage as declared by the pickle; not yet checked against the archive."""

    key: str  # names the member data/KEY
    dtype: str
    values: int


def storage_dtype(storage: StorageRecord) -> np.dtype:
    """Returns the type of a storage's values."""
    return np.dtype(ml_dtypes.bfloat16 if storage.dtype == "bfloat16" else storage.dtype)


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """A view of a storage as declared by the pickle: offset and strides count values; all are ints >= 0."""

    storage: StorageRecord
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Global:
    """A global named in the pickle, as "module name"; it is never imported."""

    name: str


def expect_type(value: object, kind: type, what: str) -> Any:
    """Returns the value if its type is exactly `kind`; raises PickleError otherwise."""
    if type(value) is not kind:
        raise PickleError(f"its pickle has {quote(value)} where {what} ({kind.__name__}) is expected")
    return value


def parse_storage(identity: object) -> StorageRecord:
    """Parses a persistent id, ("storage", type, key, device, number of values).

    Before PyTorch 1.6 it has a sixth field, None unless the storage is a view of another.
    """
    fields = expect_type(identity, tuple, "a storage's description")
    if len(fields) == 6 and fields[5] is None:
        fields = fields[:5]
    if len(fields) != 5 or expect_type(fields[0], str, "a storage's tag") != "storage":
        raise PickleError("its pickle refers to something that is not a storage")
    kind = expect_type(fields[1], Global, "a storage's type").name
    if kind not in STORAGES:
        raise PickleError(f"its pickle has {kind} as a storage's type")
    (values,) = _expect_counts(fields[4:], "a storage's number of values")
    return StorageRecord(expect_type(fields[2], str, "a storage's key"), STORAGES[kind], values)


def _parse_ordered_dict(arguments: tuple[object, ...]) -> dict[object, object]:
    if arguments:
        raise PickleError("its pickle builds an OrderedDict from arguments")
    return {}


def _parse_tensor(arguments: tuple[object, ...]) -> TensorRecord:
    """Parses (storage, offset, shape, strides, requires_grad, hooks[, metadata])."""
    if len(arguments) not in (6, 7) or (len(arguments) == 7 and arguments[6]):
        raise PickleError("its pickle builds an unsupported kind of tensor")
    shape, strides = (expect_type(a, tuple, "a shape") for a in arguments[2:4])
    if len(shape) != len(strides) or len(shape) > _MAX_DIMENSIONS:
        raise PickleError(f"its pickle has a tensor of {len(shape)} dimensions and {len(strides)} strides")
    (offset,) = _expect_counts(arguments[1:2], "a tensor's offset")
    return TensorRecord(
        expect_type(arguments[0], StorageRecord, "a tensor's storage"),
        offset,
        _expect_counts(shape, "a tensor's size"),
        _expect_counts(strides, "a tensor's stride"),
    )


def _parse_parameter(arguments: tuple[object, ...]) -> TensorRecord:
    """Parses (tensor, requires_grad, hooks)."""
    if len(arguments) != 3:
        raise PickleError("its pickle builds an unsupported kind of parameter")
    return expect_type(arguments[0], TensorRecord, "a parameter's tensor")


def _expect_counts(values: tuple[object, ...], what: str) -> tuple[int, ...]:
    counts = tuple(expect_type(value, int, what) for value in values)
    if negative := [count for count in counts if count < 0]:
        raise PickleError(f"its pickle has {negative[0]} as {what}")
    return counts


CALLS: dict[str, Callable[[tuple[object, ...]], object]] = {
    "collections OrderedDict": _parse_ordered_dict,
    "torch._utils _rebuild_tensor_v2": _parse_tensor,
    "torch._utils _rebuild_parameter": _parse_parameter,
}
