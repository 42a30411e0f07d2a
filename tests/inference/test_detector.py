"""The public face: any number of composites, one program, and errors that say what was wrong."""

import dataclasses
import subprocess
import sys

import jax
import numpy as np
import pytest
from flax import nnx

import lipfd_jax
from lipfd_jax.checkpoints.metadata import CheckpointError, Metadata
from lipfd_jax.checkpoints.store import open_model, save_model
from lipfd_jax.inference import program
from lipfd_jax.models.forward import forward
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig
from tests.drawn import drawn

CONFIG = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=80, crop_size=32))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "model"
    model = drawn(CONFIG)
    save_model(path, nnx.to_pure_dict(nnx.state(model)), Metadata(model=CONFIG, window_convention="paper"))
    return path


@pytest.fixture(scope="module")
def composites():
    return np.random.default_rng(0).integers(0, 256, (5, 1000, 2500, 3), np.uint8)


def test_scores_are_the_model_s_for_any_number_of_composites(checkpoint, composites):
    detector = lipfd_jax.Detector.open(checkpoint, batch_size=2)
    assert detector.metadata.model == CONFIG
    expected = jax.jit(forward)(open_model(checkpoint).model, composites)
    probabilities = 1 / (1 + np.exp(-np.asarray(expected.logits)))
    assert np.ptp(probabilities) > 1e-4  # they differ, so that an exchange would show
    for count in (5, 2, 1, 0):
        found = detector.score(composites[:count])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, probabilities[:count], atol=1e-5)
    weights = detector.predict(composites).region_weights
    np.testing.assert_allclose(weights, expected.region_weights, atol=1e-5)


def test_one_program_serves_every_number(checkpoint, composites, monkeypatch):
    traced = []
    monkeypatch.setattr(program, "forward", lambda *args, **rest: traced.append(1) or forward(*args, **rest))
    detector = lipfd_jax.Detector.open(checkpoint, batch_size=3)
    for count in (1, 2, 3, 5):
        detector.score(composites[:count])
    assert len(traced) == 1


@pytest.mark.parametrize(
    ("composites", "message"),
    [
        (np.zeros((1000, 2500, 3), np.uint8), r"expected \(B, 1000, 2500, 3\); put a single one in a batch"),
        (np.zeros((2, 500, 2500, 3), np.uint8), r"\(2, 500, 2500, 3\), expected \(B, 1000"),
        (np.zeros((1, 1000, 2500, 3), np.float32), "hold float32, expected uint8"),
    ],
)
def test_other_arrays_are_refused(checkpoint, composites, message):
    with pytest.raises(ValueError, match=message):
        lipfd_jax.Detector.open(checkpoint).score(composites)


def test_what_can_not_be_opened_is_refused(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match="no such folder"):
        lipfd_jax.Detector.open(tmp_path / "absent")
    with pytest.raises(ValueError, match="batch_size=0"):
        lipfd_jax.Detector.open(checkpoint, batch_size=0)


def test_another_precision_is_said_and_scores_nearly_the_same(checkpoint, composites):
    half = lipfd_jax.Detector.open(checkpoint, precision="bfloat16")
    assert half.metadata.model.dtype == "bfloat16"
    scores = [detector.score(composites[:2]) for detector in (lipfd_jax.Detector.open(checkpoint), half)]
    assert np.any(scores[0] != scores[1])
    np.testing.assert_allclose(scores[1], scores[0], atol=0.02)
    with pytest.raises(ValueError, match="precision='int8' is unknown"):
        lipfd_jax.Detector.open(checkpoint, precision="int8")


def test_importing_the_package_stays_light():
    code = "import sys, lipfd_jax; assert not {'jax', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'Detektor'"):
        lipfd_jax.Detektor  # noqa: B018
