"""Checksums and fingerprints of arrays: they identify weights and reveal damage on disk."""

import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from lipfd_jax.storage.checksums import hash_json

_DIGITS = 16  # hexadecimal, of SHA-256


def array_checksums(tree: Any) -> dict[str, str]:
    """Returns the checksum of each array of a tree, by its path ("encoder/ln_pre/scale").

    A checksum covers dtype, shape and values, regardless of the array's placement and sharding. Arrays are
    processed one at a time; if several processes hold parts of them, all processes must call this.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {array_name(path): array_checksum(leaf) for path, leaf in leaves}


def array_name(path: jax.tree_util.KeyPath) -> str:
    """Returns an array's name, its path in a tree: "encoder/ln_pre/scale"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def array_checksum(array: Any) -> str:
    """Returns the checksum of an array's dtype, shape and values."""
    values = np.ascontiguousarray(_gather_array(array))
    digest = hashlib.sha256(f"{values.dtype} {values.shape}".encode())
    digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:_DIGITS]


def json_checksum(values: Any) -> str:
    """Returns the checksum of plain values, as JSON with sorted keys."""
    return hash_json(values, _DIGITS)


def compute_fingerprint(sums: Mapping[str, str]) -> str:
    """Returns one fingerprint of all arrays: the same for the same weights, whenever written."""
    return json_checksum(dict(sums))


def find_differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Returns names of arrays whose checksums differ, are missing or are unexpected, sorted."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def _gather_array(array: Any) -> np.ndarray:
    if isinstance(array, jax.Array) and not (array.is_fully_addressable or array.is_fully_replicated):
        array = multihost_utils.process_allgather(array, tiled=True)
    return np.asarray(array)
