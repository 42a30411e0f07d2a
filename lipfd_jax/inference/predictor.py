"""Protocol of an opened checkpoint: composites in, probabilities of a fake and region weights out."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata


class Predictions(NamedTuple):
    """Output of a detector for a batch of composites; both arrays are float32."""

    probabilities: np.ndarray  # (B,), of a fake
    region_weights: np.ndarray  # (B, 5, 3): per frame the shares of head, face and lip, which sum to one


@runtime_checkable
class Predictor(Protocol):
    """An opened checkpoint or export, here, in another thread or in another process.

    Detection, serving and the suites of an evaluation take any of them; `Detector`, `BackgroundDetector` and
    `RemoteDetector` are those there are.
    """

    @property
    def metadata(self) -> Metadata:
        """Architecture, input convention, window convention, origin and calibration of the weights."""

    @property
    def path(self) -> str:
        """Path of the checkpoint or export."""

    @property
    def fingerprint(self) -> str:
        """Checksum of the weights."""

    @property
    def batch_size(self) -> int:
        """Composites that go through the network together; `predict` takes any number."""

    def predict(self, composites: np.ndarray) -> Predictions:
        """Scores composites (B, 1000, 2500, 3) uint8 RGB."""

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """Saliency map (50, 125) float32 of one composite (1000, 2500, 3) uint8 RGB; None from an export."""
