"""A .pth file with some of its bytes changed is refused or read correctly."""

import random
import tracemalloc
import zipfile

import numpy as np
import pytest

from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.pth.reader import open_pth
from tests.checkpoints.pth.pth_files import write_pth, write_zip

ARRAYS = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "b": np.arange(5, dtype=np.int64),
    "c": np.ones(3, np.float16),
}


@pytest.fixture
def good(tmp_path):
    return write_pth(tmp_path / "good.pth", ARRAYS)


def read_all(path):
    return {key: np.asarray(lazy) for key, lazy in open_pth(path).items()}


def mutations(raw, seed, count):
    """Copies of the bytes with one to three changed, or some inserted or removed."""
    rng = random.Random(seed)
    for _ in range(count):
        mutated = bytearray(raw)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(mutated))
            kind = rng.random()
            if kind < 0.4:
                mutated[at] ^= 1 << rng.randrange(8)
            elif kind < 0.8:
                mutated[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            elif kind < 0.9:
                del mutated[at : at + rng.randint(1, 40)]
            else:
                mutated[at:at] = rng.randbytes(rng.randint(1, 8))
        yield bytes(mutated)


def test_a_mutated_file_is_refused_or_read_right(good, tmp_path):
    path, outcomes = tmp_path / "mutated.pth", {"read": 0, "refused": 0}
    tracemalloc.start()
    for raw in mutations(good.read_bytes(), seed=1, count=600):
        path.write_bytes(raw)
        try:
            found = read_all(path)
        except CheckpointError:
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        assert found.keys() == ARRAYS.keys()
        for key, array in ARRAYS.items():
            np.testing.assert_array_equal(found[key], array, strict=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert min(outcomes.values()) > 10
    assert peak < 10 << 20


def check_mutations(path, copies, write):
    """Each copy is read or refused. Values may differ, but never shapes, and memory stays small.

    Args:
      path: of the file that `write` writes a copy into.
    """
    outcomes = {"read": 0, "refused": 0}
    tracemalloc.start()
    for mutated in copies:
        write(mutated)
        try:
            found = read_all(path)
            outcomes["read"] += 1
        except CheckpointError:
            outcomes["refused"] += 1
            continue
        assert all(value.nbytes <= 60 for value in found.values())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert min(outcomes.values()) > 10
    assert peak < 10 << 20


def test_a_mutated_pickle_under_a_right_checksum_is_refused_or_read(good, tmp_path):
    with zipfile.ZipFile(good) as archive:
        pickle = archive.read("archive/data.pkl")
    storages = {str(i): array.tobytes() for i, array in enumerate(ARRAYS.values())}
    path = tmp_path / "mutated.pth"
    copies = mutations(pickle, seed=2, count=1500)
    check_mutations(path, copies, lambda mutated: write_zip(path, mutated, storages))
