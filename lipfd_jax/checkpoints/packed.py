"""A packed checkpoint: one folder of four files, small enough to be copied, published or shipped.

`model.safetensors` holds the weights, kernels and matrices in float16, all else as it was;
`checkpoint.json` the metadata, `calibration.json` the calibration, `MODEL_CARD.md` a text for readers.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from etils import epath
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lipfd_jax.checkpoints.calibration import Calibration, write_calibration
from lipfd_jax.checkpoints.errors import refusal
from lipfd_jax.checkpoints.fingerprints import array_checksum, array_name
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.storage import files

METADATA = "checkpoint.json"
WEIGHTS = "model.safetensors"
CARD = "MODEL_CARD.md"


def is_packed(path: Any) -> bool:
    """Whether a path is the folder of a packed checkpoint."""
    return (epath.Path(path) / METADATA).exists()


def read_packed_metadata(path: Any) -> Any:
    """Returns the values of a packed checkpoint's metadata. Raises CheckpointError if it is no JSON."""
    file = epath.Path(path) / METADATA
    try:
        return json.loads(file.read_text())
    except ValueError as error:  # includes bytes that are not UTF-8
        raise refusal(file, f"it is not readable as JSON ({error})") from error


def read_packed_weights(path: Any, shapes: Any) -> tuple[Any, dict[str, str]]:
    """Reads the weights of a packed checkpoint.

    Args:
      path: the checkpoint's folder.
      shapes: the model's tree of shapes and dtypes.

    Returns:
      The tree of NumPy arrays, in these dtypes, and their checksums by name.

    Raises:
      CheckpointError: the file is absent or damaged, or holds other arrays; names all of them.
    """
    file = epath.Path(path) / WEIGHTS
    tensors = _load_tensors(file)
    leaves, structure = jax.tree_util.tree_flatten_with_path(shapes)
    wanted = {array_name(place): leaf for place, leaf in leaves}
    if problems := list(_find_problems(tensors, wanted)):
        raise refusal(file, problems)
    arrays = {name: _widen(tensors[name], leaf.dtype) for name, leaf in wanted.items()}
    sums = {name: array_checksum(array) for name, array in arrays.items()}
    return jax.tree.unflatten(structure, list(arrays.values())), sums


def _load_tensors(file: epath.Path) -> dict[str, np.ndarray]:
    if not file.exists():
        raise refusal(file, "there is no such file")
    try:
        return load(file.read_bytes())
    except (SafetensorError, ValueError, KeyError, TypeError, struct.error) as error:
        raise refusal(file, f"it is not a complete safetensors file ({error})") from error


def _find_problems(tensors: Mapping[str, np.ndarray], wanted: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name}: missing" for name in sorted(wanted.keys() - tensors.keys()))
    yield from (f"{name}: not one of the model's arrays" for name in sorted(tensors.keys() - wanted.keys()))
    for name in sorted(wanted.keys() & tensors.keys()):
        found, expected = tensors[name], wanted[name]
        if found.shape != tuple(expected.shape):
            yield f"{name}: shape {found.shape}, expected {tuple(expected.shape)}"
        elif found.dtype not in (np.dtype(np.float16), expected.dtype):
            yield f"{name}: {found.dtype}, expected float16 or {expected.dtype}"


def narrow(array: Any) -> np.ndarray:
    """Returns the array as it is stored: kernels and matrices in float16, if their values fit, else as it is.

    Vectors, such as running variances, stay in float32: they take a hundredth of the space, and their
    smallest values lose digits in float16.
    """
    array = np.asarray(array)
    if array.ndim < 2 or array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.isfinite(half).all() else array


def _widen(array: np.ndarray, dtype: Any) -> np.ndarray:
    return np.ascontiguousarray(array.astype(dtype))


def round_weights(weights: Any) -> Any:
    """Returns a tree of weights (float32) with the values that a packed checkpoint gives back."""
    return jax.tree.map(lambda array: _widen(narrow(array), np.asarray(array).dtype), weights)


def write_packed(
    folder: Path, rounded: Any, metadata: Metadata, *, calibration: Calibration | None, card: str
) -> None:
    """Writes the files of a packed checkpoint into an existing, empty folder.

    Args:
      rounded: the model's weights, from `round_weights`.
      metadata: with the checksums of these weights.
      calibration: of these weights.
      card: text of MODEL_CARD.md.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(rounded)
    tensors = {array_name(place): np.ascontiguousarray(narrow(array)) for place, array in leaves}
    files.write_bytes(folder / WEIGHTS, save(tensors, {"format": "lipfd_jax"}))
    files.write_text(folder / CARD, card)
    if calibration:
        write_calibration(folder, calibration)
    files.write_json(folder / METADATA, metadata.to_json())  # last: it makes the folder a checkpoint
