"""One protocol: a detector here, one opened in the background and one in another process give the same."""

import dataclasses
import multiprocessing
import threading

import numpy as np
import pytest
from flax import nnx

import lipfd_jax
from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.checkpoints.store import save_model
from lipfd_jax.inference.background import BackgroundDetector
from lipfd_jax.inference.predictor import Predictions, Predictor
from lipfd_jax.models.inputs import PAPER
from lipfd_jax.models.lipfd import ModelConfig
from tests.drawn import drawn

CONFIG = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=80, crop_size=32))


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "model"
    save_model(path, nnx.to_pure_dict(nnx.state(drawn(CONFIG))), Metadata(CONFIG, "paper"))
    return lipfd_jax.Detector.open(path, batch_size=2)


@pytest.fixture
def background(detector):
    opening = BackgroundDetector(lambda: detector)
    yield opening
    opening.close()


@pytest.fixture
def remote(detector):
    """The detector at the other end of a connection, as the server answers it."""
    pytest.importorskip("webrtcvad", reason="the extra 'faces' is not installed")
    from lipfd_jax.detection.detection_settings import DetectionSettings
    from lipfd_jax.serving.detecting import IsolatedDetector
    from lipfd_jax.serving.limits import Limits
    from lipfd_jax.serving.protocol import Message, send_message
    from lipfd_jax.serving.reader import RemoteDetector

    ours, theirs = multiprocessing.Pipe()
    server = IsolatedDetector(detector, DetectionSettings(), Limits())
    answering = threading.Thread(target=server._serve_requests, args=(ours, lambda *_: None))
    answering.start()
    yield RemoteDetector(theirs, detector.metadata, detector.path, detector.batch_size, detector.fingerprint)
    send_message(theirs, Message("done", text="none"))
    answering.join(20)


@pytest.mark.parametrize("name", ["detector", "background", "remote"])
def test_all_keep_the_protocol(request, detector, name):
    other = request.getfixturevalue(name)
    assert isinstance(other, Predictor)
    for attribute in ("metadata", "path", "fingerprint", "batch_size"):
        assert getattr(other, attribute) == getattr(detector, attribute)
    composites = np.random.default_rng(0).integers(0, 256, (3, 1000, 2500, 3), np.uint8)
    for count in (3, 0):  # more than a batch, and none
        found, expected = other.predict(composites[:count]), detector.predict(composites[:count])
        assert isinstance(found, Predictions)
        for one, wanted in zip(found, expected, strict=True):
            assert one.dtype == np.float32
            np.testing.assert_array_equal(one, wanted)
    np.testing.assert_array_equal(other.saliency(composites[0]), detector.saliency(composites[0]))
