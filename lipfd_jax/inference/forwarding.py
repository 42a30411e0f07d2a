"""A `Predictor` that asks another one; a subclass decides when, and what becomes of its errors."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.inference.predictor import Predictions, Predictor

Answer = TypeVar("Answer")


class ForwardingPredictor(ABC):
    """A `Predictor` all of whose members go through one method."""

    @abstractmethod
    def _ask(self, question: Callable[[Predictor], Answer]) -> Answer:
        """Returns `question(predictor)` of the predictor that it stands for."""

    @property
    def metadata(self) -> Metadata:
        """As in `Predictor`."""
        return self._ask(lambda predictor: predictor.metadata)

    @property
    def path(self) -> str:
        """As in `Predictor`."""
        return self._ask(lambda predictor: predictor.path)

    @property
    def fingerprint(self) -> str:
        """As in `Predictor`."""
        return self._ask(lambda predictor: predictor.fingerprint)

    @property
    def batch_size(self) -> int:
        """As in `Predictor`."""
        return self._ask(lambda predictor: predictor.batch_size)

    def predict(self, composites: np.ndarray) -> Predictions:
        """As `Predictor.predict`."""
        return self._ask(lambda predictor: predictor.predict(composites))

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """As `Predictor.saliency`."""
        return self._ask(lambda predictor: predictor.saliency(composite))
