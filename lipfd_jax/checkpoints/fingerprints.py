"""Sums of arrays' contents: by them weights are known again, and damage on a disk is noticed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

_DIGITS = 16  # hexadecimal, of SHA-256


def array_sums(tree: Any) -> dict[str, str]:
    """The sum of each array of a tree, by its path ("encoder/ln_pre/scale").

    A sum is of type, shape and values, wherever the array lies and however it is shared out. Arrays are
    taken one at a time; where several processes hold parts of them, all of them must call this.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {array_name(path): array_sum(leaf) for path, leaf in leaves}


def array_name(path: jax.tree_util.KeyPath) -> str:
    """An array's name, by its path in a tree: "encoder/ln_pre/scale"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def array_sum(array: Any) -> str:
    """The sum of one array: of its type, shape and values."""
    values = np.ascontiguousarray(_whole(array))
    digest = hashlib.sha256(f"{values.dtype} {values.shape}".encode())
    digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:_DIGITS]


def text_sum(values: Any) -> str:
    """The sum of plain values, as JSON with its keys in order."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def fingerprint(sums: Mapping[str, str]) -> str:
    """One sum of all arrays: the same for the same weights, whoever wrote them and when."""
    return text_sum(dict(sums))


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Names of the arrays whose sums are not those expected, are missing, or are too many, in order."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def _whole(array: Any) -> np.ndarray:
    if isinstance(array, jax.Array) and not (array.is_fully_addressable or array.is_fully_replicated):
        array = multihost_utils.process_allgather(array, tiled=True)
    return np.asarray(array)
