"""Detector that is opened in a background thread; attribute access and calls block until it is open."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.inference.detector import CompositeDetector
from lipfd_jax.inference.predictor import Predictions


class BackgroundDetector:
    """A `Predictor` whose weights load while videos are read; its members raise what opening raised."""

    def __init__(self, open_detector: Callable[[], CompositeDetector]):
        """Starts opening."""
        self._threads = ThreadPoolExecutor(1, "opening")
        self._opened = self._threads.submit(open_detector)

    @property
    def metadata(self) -> Metadata:
        """As in `Detector`."""
        return self._opened.result().metadata

    @property
    def path(self) -> str:
        """As in `Detector`."""
        return self._opened.result().path

    @property
    def batch_size(self) -> int:
        """As in `Detector`."""
        return self._opened.result().batch_size

    @property
    def fingerprint(self) -> str:
        """As in `Detector`."""
        return self._opened.result().fingerprint

    def predict(self, composites: np.ndarray) -> Predictions:
        """As `Detector.predict`."""
        return self._opened.result().predict(composites)

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """As `Detector.saliency`."""
        return self._opened.result().saliency(composite)

    def raise_failure(self) -> None:
        """Raises what opening has raised so far, without waiting."""
        if self._opened.done():
            self._opened.result()

    def wait(self) -> None:
        """Blocks until the detector is open; raises what opening raised."""
        self._opened.result()

    def close(self) -> None:
        """Cancels what the thread has not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)
