"""A checkpoint that is opened while videos are read: whoever needs it waits for it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.inference.detector import Detector, Scored


class Opening:
    """A detector being opened in a thread of its own: what is asked of it waits, or raises what failed."""

    def __init__(self, opens: Callable[[], Detector]):
        """Begins."""
        self._threads = ThreadPoolExecutor(1, "opening")
        self._opened = self._threads.submit(opens)

    @property
    def metadata(self) -> Metadata:
        """The checkpoint's."""
        return self._opened.result().metadata

    @property
    def path(self) -> str:
        """Where the checkpoint lies."""
        return self._opened.result().path

    @property
    def batch_size(self) -> int:
        """Composites that go through the network together."""
        return self._opened.result().batch_size

    @property
    def fingerprint(self) -> str:
        """Of the weights."""
        return self._opened.result().fingerprint

    def predict(self, composites: np.ndarray) -> Scored:
        """As `Detector.predict`."""
        return self._opened.result().predict(composites)

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """As `Detector.saliency`."""
        return self._opened.result().saliency(composite)

    def check(self) -> None:
        """Raises what opening has raised so far; doesn't wait."""
        if self._opened.done():
            self._opened.result()

    def ready(self) -> None:
        """Waits, and raises what opening raised."""
        self._opened.result()

    def close(self) -> None:
        """Gives up what has not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)
