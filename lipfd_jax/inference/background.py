"""Detector that is opened in a background thread; attribute access and calls block until it is open."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lipfd_jax.inference.detector import CompositeDetector
from lipfd_jax.inference.forwarding import Answer, ForwardingPredictor
from lipfd_jax.inference.predictor import Predictor


class BackgroundDetector(ForwardingPredictor):
    """A `Predictor` whose weights load while videos are read; its members raise what opening raised."""

    def __init__(self, open_detector: Callable[[], CompositeDetector]):
        """Starts opening."""
        self._threads = ThreadPoolExecutor(1, "opening")
        self._opened = self._threads.submit(open_detector)

    def _ask(self, question: Callable[[Predictor], Answer]) -> Answer:
        return question(self._opened.result())

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
