"""The format of torch.save before PyTorch 1.6, and copies of it with some bytes changed."""

import struct

import numpy as np
import pytest

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pth.reader import open_pth
from tests.checkpoints.pth.pth_files import (
    integer,
    mapping,
    ordered_dict,
    program,
    tensor,
    text,
    write_legacy,
)
from tests.checkpoints.pth.test_mutations import ARRAYS, check_mutations, mutations, read_all


@pytest.fixture
def good(tmp_path):
    return write_legacy(tmp_path / "old.pth", ARRAYS)


def test_tensors_are_read(good):
    found = read_all(good)
    assert found.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(found[key], array, strict=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw[:-1], "bytes, expected"),
        (lambda raw: raw + b"\0", "bytes, expected"),
        (lambda raw: raw.replace(struct.pack("<q", 12), struct.pack("<q", 11)), "another size than declared"),
        (lambda raw: raw.replace(b"M\xe9\x03", b"M\xe8\x03"), "expected protocol 1001"),
        (lambda raw: raw.replace(b"little_endian\x88", b"little_endian\x89"), "little-endian"),
        (lambda raw: raw[:200], "its pickle"),
        (lambda raw: raw[:20], "its pickle"),
    ],
)
def test_broken_files_are_refused(good, change, reason):
    raw = good.read_bytes()
    assert change(raw) != raw
    good.write_bytes(change(raw))
    with pytest.raises(CheckpointError, match=reason):
        open_pth(good)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ((), "the storage '0', which is missing"),
        (("0", "0"), "twice"),
        (("0", "1"), "for no tensor"),
    ],
)
def test_storages_are_those_of_the_tensors(tmp_path, keys, reason):
    value = program(ordered_dict(text("a"), tensor("0", "Float", 2, (2,), legacy=True)))
    storages = [(key, b"01234567", 2) for key in keys]
    path = write_legacy(tmp_path / "old.pth", {}, value=value, storages=storages)
    with pytest.raises(CheckpointError, match=reason):
        open_pth(path)


def test_storages_of_other_values_are_skipped(tmp_path):
    """As an optimizer's."""
    opcodes = [tensor(key, "Float", 2, (2,), legacy=True) for key in "01"]
    model = ordered_dict(text("a"), opcodes[1])
    value = program(mapping(optimizer=opcodes[0], model=model, steps=integer(3)))
    raw = [np.float32([i, 2]).tobytes() for i in range(2)]
    path = write_legacy(
        tmp_path / "old.pth", {}, value=value, storages=[(str(i), raw[i], 2) for i in range(2)]
    )
    found = read_all(path)
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], [1, 2])


def test_a_mutated_file_is_refused_or_read(good):
    check_mutations(good, mutations(good.read_bytes(), seed=3, count=1000), good.write_bytes)
