"""Batches shared by several videos, so that the device is kept busy."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

_WAIT_SECONDS = 0.2  # that a window waits for those of other videos

# Maps composites (B, 1000, 2500, 3) uint8 to scores (B,) and region weights (B, 5, 3). It must not keep the
# composites: their memory is reused.
Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass
class _Request:
    composites: np.ndarray
    scored: tuple[np.ndarray, np.ndarray] | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.scored is not None or self.error is not None


class SharedBatches:
    """Collects composites of several threads; one of them scores the batch once it is full or all wait."""

    def __init__(self, predict: Predict, size: Callable[[], int]):
        """Calls `size`, the size of a full batch, only once there are windows: the model may be loading."""
        self._predict, self._size = predict, size
        self._turn = threading.Condition()
        self._clients, self._running = 0, False
        self._pending: list[_Request] = []

    @contextmanager
    def client(self) -> Iterator[Predict]:
        """Yields the `predict` of one thread; until it ends, others wait for its windows to fill a batch."""
        with self._turn:
            self._clients += 1
        try:
            yield self._score
        finally:
            with self._turn:
                self._clients -= 1
                self._turn.notify_all()

    def _score(self, composites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        request, size = _Request(composites), self._size()
        with self._turn:
            self._pending.append(request)
            self._turn.notify_all()
            self._turn.wait_for(lambda: request.done or self._ready(size), timeout=_WAIT_SECONDS)
            self._turn.wait_for(lambda: request.done or not self._running)
            taken = [] if request.done else self._take()
        if taken:
            self._run(taken)
            with self._turn:
                self._running = False
                self._turn.notify_all()
        if request.error is not None:
            raise request.error
        assert request.scored is not None  # it is done, and without an error
        return request.scored

    def _ready(self, size: int) -> bool:
        full = sum(len(request.composites) for request in self._pending) >= size
        return bool(self._pending) and not self._running and (full or len(self._pending) >= self._clients)

    def _take(self) -> list[_Request]:
        taken, self._pending, self._running = self._pending, [], True
        return taken

    def _run(self, taken: list[_Request]) -> None:
        try:
            given = [request.composites for request in taken]
            scores, weights = self._predict(np.concatenate(given) if len(given) > 1 else given[0])
        except BaseException as error:
            for request in taken:
                request.error = error
            return
        ends = np.cumsum([len(request.composites) for request in taken])[:-1]
        parts = zip(np.split(scores, ends), np.split(weights, ends), strict=True)
        for request, part in zip(taken, parts, strict=True):
            request.scored = part
