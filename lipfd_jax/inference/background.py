"""A checkpoint that is opened while videos are read: whoever needs it waits for it."""

import time
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
        self._told: Callable[[float], None] | None = None

    def time(self, told: Callable[[float], None], *, trial: bool) -> None:
        """Has `told` called once, in the thread that opens, with the seconds that a window takes here.

        The first windows that are scored tell; with `trial` blank ones, as soon as the detector is open, for
        videos that take long to read.
        """
        self._told = told
        if trial:
            self._threads.submit(self._try)

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
        detector = self._opened.result()
        begin = time.perf_counter()
        scored = detector.predict(composites)
        self._tell((time.perf_counter() - begin) / max(len(composites), 1))
        return scored

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

    def _try(self) -> None:
        self._tell(self._opened.result().trial())

    def _tell(self, seconds: float) -> None:
        told, self._told = self._told, None
        if told:
            self._threads.submit(told, seconds)
