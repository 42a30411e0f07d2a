"""A checkpoint is read as it was written, with all its parts, or the error names the damage."""

import dataclasses
import json
import random
import shutil

import jax
import numpy as np
import pytest
from flax import nnx

from lipfd_jax.checkpoints.calibration import write_calibration
from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.fingerprints import json_checksum
from lipfd_jax.checkpoints.folders import find_checkpoint
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import open_model, save_model
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig
from tests.checkpoints.test_calibration import PLATT
from tests.drawn import drawn

CONFIG = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=80, crop_size=32))
STORED = "_CHECKPOINT_METADATA"


def save(path, seed=0, **fields):
    weights = nnx.to_pure_dict(nnx.state(drawn(CONFIG, seed)))
    save_model(path, weights, Metadata(CONFIG, window_convention="paper", **fields))
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return save(tmp_path_factory.mktemp("written") / "model")


@pytest.fixture
def checkpoint(written, tmp_path):
    return shutil.copytree(written, tmp_path / "model")


def change_metadata(path, change):
    stored = json.loads((path / STORED).read_text())
    change(stored["custom_metadata"])
    (path / STORED).write_text(json.dumps(stored))


def test_a_calibration_of_its_own_is_opened_with_the_checkpoint(checkpoint):
    opened = open_model(checkpoint)
    assert opened.calibration is None
    own = dataclasses.replace(PLATT, weights=opened.fingerprint)
    write_calibration(checkpoint, own)
    again = open_model(checkpoint)
    assert again.calibration == again.metadata.calibration == own
    assert again.fingerprint == opened.fingerprint
    write_calibration(checkpoint, PLATT)
    with pytest.raises(CheckpointError, match=r"calibration\.json was fitted for other weights"):
        open_model(checkpoint)


def test_a_fingerprint_is_of_the_weights_alone(checkpoint, tmp_path):
    same = open_model(save(tmp_path / "same", origin="written at another time"))
    other = open_model(save(tmp_path / "other", seed=1))
    assert open_model(checkpoint).fingerprint == same.fingerprint != other.fingerprint


def test_no_flipped_bit_gives_other_weights(checkpoint):
    """A flipped bit in each small file and in a sample of array files is refused, or has no effect."""
    good = open_model(checkpoint)
    files = sorted(file for file in checkpoint.rglob("*") if file.is_file() and file.stat().st_size)
    arrays = [file for file in files if file.parent.parent.name == "model"]
    rng = random.Random(0)
    chosen = [file for file in files if file not in arrays] + rng.sample(arrays, 16)
    refused = []
    for file in chosen:
        whole = file.read_bytes()
        damaged, position = bytearray(whole), rng.randrange(8 * len(whole))
        damaged[position // 8] ^= 1 << position % 8
        file.write_bytes(damaged)
        try:
            found = open_model(checkpoint)
            assert (found.fingerprint, found.metadata) == (good.fingerprint, good.metadata), file
        except CheckpointError as error:
            assert str(checkpoint) in str(error)  # noqa: PT017 (either way is right)
            refused.append(file)
        file.write_bytes(whole)
    assert len(set(refused) & set(arrays)) >= 12  # a compressor's level, say, is without effect


def test_damaged_arrays_are_named(checkpoint):
    def damage(values):
        values["sums"]["model"]["fc/kernel"] = "0" * 16
        values["sums"]["model"]["fc/bias"] = "0" * 16
        values["sum"] = json_checksum({name: value for name, value in values.items() if name != "sum"})

    change_metadata(checkpoint, damage)
    with pytest.raises(CheckpointError, match=r"2 problems:\n.*model: fc/bias is damaged.*\n.*fc/kernel is"):
        open_model(checkpoint)


def test_a_checkpoint_without_sums_opens_with_a_warning(checkpoint, caplog):
    expected = open_model(checkpoint)

    def strip(values):
        for name in ("sum", "sums", "metrics"):
            del values[name]

    change_metadata(checkpoint, strip)
    found = open_model(checkpoint)
    assert f"{checkpoint}: written without checksums" in caplog.text
    assert found.fingerprint == expected.fingerprint
    same = jax.tree.map(lambda a, b: np.array_equal(a, b), nnx.state(found.model), nnx.state(expected.model))
    assert all(jax.tree.leaves(same))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("windows"), "its metadata has no windows"),
        (lambda values: values.update(windows="both"), "windows='both', expected paper or released"),
        (lambda values: values["model"].update(encoder="vit_huge"), "encoder='vit_huge' is unknown"),
        (lambda values: values.update(format=2), "not of format 1"),
    ],
)
def test_metadata_that_can_not_be_used_say_why(checkpoint, change, message):
    def changed(values):
        for name in ("sum", "sums"):
            del values[name]
        change(values)

    change_metadata(checkpoint, changed)
    with pytest.raises(CheckpointError, match=message) as error:
        open_model(checkpoint)
    assert str(checkpoint) in str(error.value)


def test_a_damaged_step_is_not_the_best_one(tmp_path, caplog):
    for step, auc in ((100, 0.7), (200, 0.9), (300, 0.8)):
        save(tmp_path / "checkpoints" / str(step), step=step, metrics={"auc": auc})
    assert find_checkpoint(tmp_path).name == "200"
    change_metadata(tmp_path / "checkpoints" / "200", lambda values: values.update(step=201))
    assert find_checkpoint(tmp_path).name == "300"
    assert "200: its metadata is damaged" in caplog.text
