"""A checkpoint opens with everything that belongs to it."""

import dataclasses

import pytest
from flax import nnx

from lipfd_jax.checkpoints.calibration import write_calibration
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import open_model, save_model
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import LipFD, ModelConfig
from tests.checkpoints.test_calibration import PLATT

CONFIG = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=80, crop_size=32))


@pytest.fixture
def checkpoint(tmp_path):
    model = LipFD(CONFIG, rngs=nnx.Rngs(0))
    save_model(tmp_path / "model", nnx.to_pure_dict(nnx.state(model)), Metadata(CONFIG, windows="paper"))
    return tmp_path / "model"


def test_a_calibration_is_opened_with_the_checkpoint(checkpoint):
    assert open_model(checkpoint).calibration is None
    write_calibration(checkpoint, PLATT)
    opened = open_model(checkpoint)
    assert opened.calibration == opened.metadata.calibration == PLATT
