"""A packed checkpoint gives back weights, metadata and calibration, or says what is damaged."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints import packing
from lipfd_jax.checkpoints.calibration import write_calibration
from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.folders import find_checkpoint
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.packed import narrow
from lipfd_jax.checkpoints.packing import pack_checkpoint
from lipfd_jax.checkpoints.store import open_model, save_model
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig
from tests.checkpoints.test_calibration import PLATT
from tests.drawn import drawn

CONFIG = ModelConfig("none", "resnet_tiny", dataclasses.replace(PAPER, picture_size=0, crop_size=32))
FILES = {"MODEL_CARD.md", "calibration.json", "checkpoint.json", "model.safetensors"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A calibrated checkpoint of random weights, as Orbax writes it."""
    path = tmp_path_factory.mktemp("whole") / "model"
    save_model(path, nnx.to_pure_dict(nnx.state(drawn(CONFIG, 0))), Metadata(CONFIG, "paper", origin="drawn"))
    write_calibration(path, dataclasses.replace(PLATT, weights=open_model(path).fingerprint))
    return path


@pytest.fixture
def packed(checkpoint, tmp_path):
    pack_checkpoint(checkpoint, tmp_path / "packed", training_data="4 clips of 2 people")
    return tmp_path / "packed"


def read_arrays(path):
    return jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(open_model(path).model)))


def test_a_packed_checkpoint_opens_like_the_one_it_was_made_of(checkpoint, packed):
    assert {file.name for file in packed.iterdir()} == FILES
    expected = jax.tree.map(lambda array: narrow(array).astype(array.dtype), read_arrays(checkpoint))
    jax.tree.map(np.testing.assert_array_equal, read_arrays(packed), expected)
    opened, whole = open_model(packed), open_model(checkpoint)
    assert find_checkpoint(packed) == opened.path
    assert opened.metadata.origin == "drawn"
    assert opened.metadata.training_data == "4 clips of 2 people"
    assert opened.calibration == dataclasses.replace(whole.calibration, weights=opened.fingerprint)
    assert opened.fingerprint != whole.fingerprint


def test_packing_twice_changes_nothing(packed, tmp_path):
    pack_checkpoint(packed, tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (packed / name).read_bytes()


def test_the_card_names_the_data_and_the_error_rates(packed):
    card = (packed / "MODEL_CARD.md").read_text()
    assert "4 clips of 2 people" in card
    assert f"on {PLATT.videos} videos" in card


def test_an_average_takes_the_place_of_the_weights(tmp_path):
    weights = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(drawn(CONFIG, 0))))
    (tmp_path / "packed").mkdir()
    stored = packing.write_weights(tmp_path / "packed", weights, Metadata(CONFIG, "paper", ema=True))
    assert not stored.ema
    assert open_model(tmp_path / "packed").metadata == stored


def test_values_that_do_not_fit_stay_in_float32():
    assert narrow(np.ones((2, 2), np.float32)).dtype == np.float16
    assert narrow(np.full((2, 2), 1e6, np.float32)).dtype == np.float32
    assert narrow(np.ones(2, np.float32)).dtype == np.float32


def cut(file):
    file.write_bytes(file.read_bytes()[:-40])


def flip(file):
    held = bytearray(file.read_bytes())
    held[-9] ^= 1
    file.write_bytes(held)


def edit(file):
    file.write_text(file.read_text().replace("drawn", "forged"))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.safetensors", cut, "not a complete safetensors file"),
        ("model.safetensors", flip, "is damaged, its values are not those written"),
        ("model.safetensors", lambda file: file.unlink(), "there is no such file"),
        ("checkpoint.json", cut, "not readable as JSON"),
        ("checkpoint.json", edit, "its metadata is damaged"),
        ("checkpoint.json", lambda file: file.write_text("[]"), "not one of lipfd_jax"),
        ("checkpoint.json", lambda file: file.write_bytes(b"\xff"), "not readable as JSON"),
        ("calibration.json", cut, "not readable as JSON"),
    ],
)
def test_damage_is_refused(packed, name, damage, message):
    damage(packed / name)
    with pytest.raises(CheckpointError, match=message):
        open_model(packed)


def test_weights_of_another_model_are_refused(packed):
    values = json.loads((packed / "checkpoint.json").read_text())
    other = dataclasses.replace(CONFIG, backbone="resnet50")
    metadata = dataclasses.replace(Metadata.from_json(values), model=other)
    (packed / "checkpoint.json").write_text(json.dumps(metadata.to_json()))
    with pytest.raises(CheckpointError, match="missing"):
        open_model(packed)


def test_what_is_there_is_kept_unless_told(checkpoint, packed, tmp_path):
    before = {file.name: file.read_bytes() for file in packed.iterdir()}
    with pytest.raises(CheckpointError, match="it exists already"):
        pack_checkpoint(checkpoint, packed)
    (tmp_path / "mine").mkdir()
    with pytest.raises(CheckpointError, match="not one of our checkpoints"):
        pack_checkpoint(checkpoint, tmp_path / "mine", overwrite=True)
    assert {file.name: file.read_bytes() for file in packed.iterdir()} == before
    pack_checkpoint(checkpoint, packed, overwrite=True, training_data="else")
    assert open_model(packed).metadata.training_data == "else"


def test_a_failure_leaves_nothing(checkpoint, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing, "write_packed", fail)
    with pytest.raises(OSError, match="No space left"):
        pack_checkpoint(checkpoint, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
