"""Opens the weights of a safetensors file; tensors are read one by one, on demand."""

from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from lipfd_jax.checkpoints.errors import is_tensor_name, quote, refusal

_DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}


@dataclass(frozen=True)
class SafetensorsTensor:
    """A tensor in a safetensors file: `np.asarray(tensor)` reads it into new memory."""

    path: Path
    key: str
    dtype: np.dtype
    shape: tuple[int, ...]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Reads the values."""
        if copy is False:
            raise ValueError("a tensor in a file can't be read without copying")
        with safe_open(self.path, framework="numpy") as file:
            array = file.get_tensor(self.key)
        return array if dtype is None else array.astype(dtype, copy=False)


def open_safetensors(path: str | Path) -> dict[str, SafetensorsTensor]:
    """Returns the tensors of a safetensors file, by key.

    Raises:
        CheckpointError: not a safetensors file, a damaged one, or values of unsupported types (lists all).
    """
    path = Path(path)
    if not path.is_file():
        raise refusal(path, "there is no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
            found = {key: (part.get_dtype(), tuple(part.get_shape())) for key, part in slices.items()}
    except (SafetensorError, OSError, UnicodeDecodeError) as error:
        raise refusal(path, f"it is not a complete safetensors file ({error})") from error
    problems = [
        f"{quote(key)} holds values of type {dtype}, expected one of {', '.join(_DTYPES)}"
        for key, (dtype, _) in found.items()
        if dtype not in _DTYPES
    ]
    problems += [f"{quote(key)} is not a tensor's name" for key in found if not is_tensor_name(key)]
    if problems or not found:
        raise refusal(path, problems or "it holds no weights")
    return {key: SafetensorsTensor(path, key, _DTYPES[dtype], shape) for key, (dtype, shape) in found.items()}
