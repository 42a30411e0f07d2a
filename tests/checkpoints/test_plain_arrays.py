"""Arrays stored in a folder each are read as Orbax reads them, with their sums, and taken over by JAX."""

import jax
import numpy as np
import pytest

from lipfd_jax.checkpoints import store
from lipfd_jax.checkpoints.fingerprints import array_checksums
from lipfd_jax.checkpoints.plain_arrays import has_plain_arrays, read_plain_arrays
from lipfd_jax.checkpoints.store import open_model
from tests.checkpoints.test_store import save

TREE = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b/c": np.float32(7) * np.ones((), np.float32)}


@pytest.fixture
def folder(tmp_path):
    import tensorstore

    for name, array in TREE.items():
        place = tmp_path / name.replace("/", ".")
        kvstore = {"driver": "file", "path": f"{place}/"}
        spec = {"driver": "zarr", "kvstore": kvstore}
        stored = tensorstore.open(spec, create=True, dtype=array.dtype, shape=array.shape).result()
        stored.write(array).result()
    return tmp_path


def test_arrays_and_sums_are_those_written(folder):
    assert has_plain_arrays(folder)
    read = read_plain_arrays(folder, TREE)
    assert {name: sum for name, (_, sum) in read.items()} == array_checksums(TREE)
    for name, (array, _) in read.items():
        np.testing.assert_array_equal(array, TREE[name])
    found = read["a"][0]
    assert jax.device_put(found, jax.devices("cpu")[0]).unsafe_buffer_pointer() == found.ctypes.data


@pytest.mark.parametrize(
    "wanted",
    [{"a": TREE["a"]}, {**TREE, "d": TREE["a"]}, {**TREE, "a": TREE["a"].T}, {**TREE, "b/c": np.int32(7)}],
)
def test_others_than_wanted_are_refused(folder, wanted):
    with pytest.raises(ValueError, match=r"wanted|not "):
        read_plain_arrays(folder, wanted)


def test_a_checkpoint_is_opened_as_orbax_opens_it(tmp_path, monkeypatch):
    path = save(tmp_path / "model")
    found = open_model(path)
    monkeypatch.setattr(store, "has_plain_arrays", lambda folder: False)
    assert open_model(path).fingerprint == found.fingerprint
