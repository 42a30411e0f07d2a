"""safetensors files are read lazily and exactly; broken ones raise a CheckpointError."""

import json
import struct

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.safetensors import open_safetensors

ARRAYS = {
    "single": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.linspace(-1, 1, 5).astype(np.float16),
    "brain": np.linspace(-1, 1, 5).astype(ml_dtypes.bfloat16),
    "ids": np.arange(4, dtype=np.int64)[None],
    "scalar": np.asarray(4.6, np.float32),
}


def write(path, head, body=b""):
    """Writes a file of a header, as JSON or as bytes, and values."""
    raw = head if isinstance(head, bytes) else json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + body)
    return path


def line(dtype="F32", shape=(2,), start=0, stop=8):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


def test_tensors_are_read_as_they_are(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(ARRAYS, path)
    found = open_safetensors(path)
    assert found.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        assert found[key].shape == array.shape
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(np.asarray(found[key]), array, strict=True)
    assert np.asarray(found["half"], np.float64).dtype == np.float64


@pytest.mark.parametrize(
    ("head", "body", "reason"),
    [
        ({"a": line()}, bytes(7), "not a complete"),
        ({"a": line(stop=16)}, bytes(16), "not a complete"),
        ({"a": line(), "b": line()}, bytes(8), "not a complete"),
        ({"a": line(shape=[2**62, 4])}, bytes(8), "not a complete"),
        ({"a": line(start=8, stop=0)}, bytes(8), "not a complete"),
        ({"a": line(dtype="F3")}, bytes(8), "not a complete"),
        (
            {"a": line(dtype="F8_E4M3", stop=2), "b": line(dtype="F8_E5M2", start=2, stop=4)},
            bytes(4),
            "2 problems",
        ),
        ({"a\x1b[2J": line()}, bytes(8), "not a tensor's name"),
        ({"a" * 300: line()}, bytes(8), "not a tensor's name"),
        ({}, b"", "no weights"),
        (b"[" * 100_000, b"", "not a complete"),
        (b"\xff{}", b"", "not a complete"),
    ],
)
def test_broken_files_are_refused(tmp_path, head, body, reason):
    path = write(tmp_path / "a.safetensors", head, body)
    with pytest.raises(CheckpointError) as error:
        open_safetensors(path)
    assert reason in str(error.value)
    assert str(path) in str(error.value)
    assert "\x1b" not in str(error.value)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    save_file(ARRAYS, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            open_safetensors(cut)
    for path in (tmp_path, tmp_path / "nowhere.safetensors"):
        with pytest.raises(CheckpointError, match="no such file"):
            open_safetensors(path)
