"""Reads arrays that Orbax stores one per folder, with their checksums, in half of Orbax's time.

Each is read into memory that JAX takes over without a copy, so nothing is held twice, and its checksum is
computed while others are read.
"""

import io
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lipfd_jax.checkpoints.fingerprints import array_checksum

_THREADS = 4  # some of which wait for TensorStore, which has threads of its own
_ALIGNED = 64  # bytes: alignment of memory that JAX takes over without copying
_PAGE = 2 << 20  # bytes: alignment of arrays larger than this, for huge pages


def has_plain_arrays(folder: Path) -> bool:
    """Whether the arrays of this part of a checkpoint are stored one per folder, as by `save_model`."""
    return folder.is_dir() and any(file.is_file() for file in folder.glob("*/.zarray"))


def read_plain_arrays(folder: Path, wanted: Mapping[str, Any]) -> dict[str, tuple[np.ndarray, str]]:
    """Reads all arrays of a folder.

    Args:
      folder: one part of a checkpoint.
      wanted: expected arrays, with `shape` and `dtype`, by names as in checksums ("encoder/ln_pre/scale").

    Returns:
      The arrays and their checksums, by these names.

    Raises:
      ValueError: the folder has other arrays than those wanted, or one can't be read.
    """
    there = {file.parent.name for file in folder.glob("*/.zarray")}
    names = {name.replace("/", "."): name for name in wanted}
    if there != names.keys():
        raise ValueError(f"{folder}: arrays differ from those wanted: {sorted(there ^ names.keys())[:5]}")

    def read(name: str) -> tuple[np.ndarray, str]:
        found = _read_array(folder / name.replace("/", "."), wanted[name])
        return found, array_checksum(found)

    with ThreadPoolExecutor(_THREADS, "reading") as threads:
        # The largest first, so that the last ones are short.
        order = sorted(wanted, key=lambda name: -np.prod(wanted[name].shape))
        return dict(zip(order, threads.map(read, order), strict=True))


def _read_array(folder: Path, wanted: Any) -> np.ndarray:
    array = _allocate_aligned(wanted.shape, wanted.dtype)
    if _is_one_piece(json.loads((folder / ".zarray").read_bytes()), array):
        with open(folder / ".".join("0" * max(array.ndim, 1)), "rb", buffering=0) as file:
            _fill_buffer(array.reshape(-1).view(np.uint8), file)
        return array
    import tensorstore

    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": f"{folder}/"}}
    stored = tensorstore.open(spec, open=True, read=True).result()
    if stored.shape != wanted.shape or stored.dtype.numpy_dtype != wanted.dtype:
        raise ValueError(f"{folder}: {stored.dtype.name} {stored.shape}, not {wanted.dtype} {wanted.shape}")
    tensorstore.array(array).write(stored).result()
    return array


def _is_one_piece(about: Mapping[str, Any], array: np.ndarray) -> bool:
    """Whether an array's file holds its values alone, in order."""
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


def _fill_buffer(buffer: np.ndarray, file: io.FileIO) -> None:
    """Fills a buffer from a file. Raises ValueError if the file has more or fewer bytes."""
    done = 0
    while done < len(buffer) and (count := file.readinto(buffer[done:])):
        done += count
    if done < len(buffer) or file.read(1):
        raise ValueError(f"{file.name}: {len(buffer)} bytes expected")


def _allocate_aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    multiple = _PAGE if size > _PAGE else _ALIGNED
    buffer = np.empty(size + multiple, np.uint8)
    first = -buffer.ctypes.data % multiple
    return buffer[first : first + size].view(dtype).reshape(shape)
