"""The checkpoint that ships: found by its name, taken when none is named, whole where it is installed."""

import dataclasses

import pytest
from absl import flags
from flax import nnx

from lipfd_jax.checkpoints import packing, shipped
from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.checkpoints.folders import find_checkpoint
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import open_model
from lipfd_jax.commands import detector_flags
from lipfd_jax.detection.detector import Detector
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig
from tests.drawn import drawn

CONFIG = ModelConfig("none", "resnet_tiny", dataclasses.replace(PAPER, picture_size=0, crop_size=32))
MEGABYTES = 20  # that weights may add to the wheel


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An installation with random weights in place of those that ship."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")
    folder = tmp_path / "weights" / "small"
    folder.mkdir(parents=True)
    packing.write_weights(folder, nnx.to_pure_dict(nnx.state(drawn(CONFIG, 0))), Metadata(CONFIG, "paper"))
    return folder


@pytest.fixture
def absent(tmp_path, monkeypatch):
    """A checkout without weights."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")


@pytest.fixture
def given():
    before = set(flags.FLAGS)
    detector_flags.define_flags()
    yield lambda *arguments: flags.FLAGS(["lipfd", *arguments])
    flags.FLAGS.unparse_flags()
    flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)
    flags.FLAGS.mark_as_parsed()


def test_a_name_stands_for_the_folder(installed):
    assert str(find_checkpoint(shipped.SMALL)) == str(installed)
    opened = open_model(shipped.SMALL)
    assert opened.metadata.model == CONFIG
    assert shipped.find_name(opened.path) == shipped.SMALL
    assert shipped.find_name("elsewhere") == ""


def test_other_names_are_refused(installed):
    with pytest.raises(CheckpointError, match=r"lipfd:large: no checkpoint of that name.*lipfd:small"):
        find_checkpoint("lipfd:large")


def test_a_detector_without_a_checkpoint_is_the_one_that_ships(installed, caplog):
    detector = Detector.open()
    assert detector.path == str(installed)
    (line,) = [message for message in caplog.messages if "lipfd:small" in message]
    assert str(installed / "MODEL_CARD.md") in line


def test_the_commands_take_it_and_say_so_in_one_line(installed, given, capsys):
    given()
    detector_flags.check_checkpoint()
    assert flags.FLAGS.checkpoint == shipped.SMALL
    (line,) = capsys.readouterr().err.splitlines()
    assert "using lipfd:small, the detector that ships with lipfd_jax" in line


def test_a_checkpoint_that_is_named_is_taken(installed, given, capsys):
    given("--checkpoint=mine")
    detector_flags.check_checkpoint()
    assert flags.FLAGS.checkpoint == "mine"
    assert capsys.readouterr().err == ""


def test_without_weights_there_are_instructions(absent, given):
    given()
    with pytest.raises(SystemExit, match=r"lipfd convert ckpt\.pth"):
        detector_flags.check_checkpoint()
    with pytest.raises(CheckpointError, match=r"lipfd convert ckpt\.pth"):
        Detector.open()
    with pytest.raises(CheckpointError, match="holds no weights of that name"):
        find_checkpoint(shipped.SMALL)


@pytest.mark.parametrize("name", shipped.NAMES)
def test_what_ships_is_whole_calibrated_and_small(name):
    folder = shipped.FOLDER / name.removeprefix(shipped.PREFIX)
    if not folder.exists():
        pytest.skip(f"{folder} is absent: a checkout without the weights that ship")
    opened = open_model(name)
    assert opened.calibration is not None
    assert opened.metadata.training_data
    assert not opened.metadata.synthetic
    assert sum(file.stat().st_size for file in folder.iterdir()) < MEGABYTES * 1e6
    assert {file.name for file in folder.iterdir()} == {
        "MODEL_CARD.md",
        "calibration.json",
        "checkpoint.json",
        "model.safetensors",
    }
