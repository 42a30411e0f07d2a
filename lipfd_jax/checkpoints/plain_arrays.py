"""Reads arrays that Orbax has stored in a folder each, with their sums, in half the time that Orbax takes.

Each lands in memory that JAX takes as it is, so that nothing is held twice, and its sum is computed while
others are read.
"""

import io
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lipfd_jax.checkpoints.fingerprints import array_sum

_THREADS = 4  # of which some wait for TensorStore, which has threads of its own
_ALIGNED = 64  # bytes: what JAX takes over without copying begins at a multiple of it
_PAGE = 2 << 20  # bytes: arrays larger than this begin at a multiple of it, for pages of that size


def has_plain_arrays(folder: Path) -> bool:
    """Whether the arrays of this part of a checkpoint lie in a folder each, as those of `save_model` do."""
    return folder.is_dir() and any(file.is_file() for file in folder.glob("*/.zarray"))


def read_plain_arrays(folder: Path, wanted: Mapping[str, Any]) -> dict[str, tuple[np.ndarray, str]]:
    """Reads all arrays of a folder.

    Args:
      folder: one part of a checkpoint.
      wanted: what is expected, with `shape` and `dtype`, by names as in sums ("encoder/ln_pre/scale").

    Returns:
      The arrays and their sums, by these names.

    Raises:
      ValueError: the arrays there are not those wanted, or one can't be read.
    """
    there = {file.parent.name for file in folder.glob("*/.zarray")}
    names = {name.replace("/", "."): name for name in wanted}
    if there != names.keys():
        raise ValueError(f"{folder}: other arrays than wanted: {sorted(there ^ names.keys())[:5]}")

    def read(name: str) -> tuple[np.ndarray, str]:
        found = _read(folder / name.replace("/", "."), wanted[name])
        return found, array_sum(found)

    with ThreadPoolExecutor(_THREADS, "reading") as threads:
        # The largest first: what is left at the end is short.
        order = sorted(wanted, key=lambda name: -np.prod(wanted[name].shape))
        return dict(zip(order, threads.map(read, order), strict=True))


def _read(folder: Path, wanted: Any) -> np.ndarray:
    array = _empty(wanted.shape, wanted.dtype)
    if _is_one_piece(json.loads((folder / ".zarray").read_bytes()), array):
        with open(folder / ".".join("0" * max(array.ndim, 1)), "rb", buffering=0) as file:
            _fill(array.reshape(-1).view(np.uint8), file)
        return array
    import tensorstore

    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": f"{folder}/"}}
    stored = tensorstore.open(spec, open=True, read=True).result()
    if stored.shape != wanted.shape or stored.dtype.numpy_dtype != wanted.dtype:
        raise ValueError(f"{folder}: {stored.dtype.name} {stored.shape}, not {wanted.dtype} {wanted.shape}")
    tensorstore.array(array).write(stored).result()
    return array


def _is_one_piece(about: Mapping[str, Any], array: np.ndarray) -> bool:
    """Whether an array's file holds its values and nothing else, one after the other."""
    shape = list(array.shape)
    return about == {
        "chunks": [max(n, 1) for n in shape],
        "compressor": None,
        "dimension_separator": ".",
        "dtype": array.dtype.str,
        "fill_value": None,
        "filters": None,
        "order": "C",
        "shape": shape,
        "zarr_format": 2,
    }


def _fill(room: np.ndarray, file: io.FileIO) -> None:
    """Reads exactly as many bytes as there is room for. Raises ValueError where the file has others."""
    done = 0
    while done < len(room) and (count := file.readinto(room[done:])):
        done += count
    if done < len(room) or file.read(1):
        raise ValueError(f"{file.name}: {len(room)} bytes expected")


def _empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    multiple = _PAGE if size > _PAGE else _ALIGNED
    room = np.empty(size + multiple, np.uint8)
    first = -room.ctypes.data % multiple
    return room[first : first + size].view(dtype).reshape(shape)
