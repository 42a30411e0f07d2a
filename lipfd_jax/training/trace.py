"""Profiler trace of some steps of a run, for TensorBoard or xprof."""

from typing import Any

import jax

_WARM_UP = 3  # steps before the trace, which are not typical


class Trace:
    """Traces `steps` steps into a folder, after a few for warm-up; 0 for none."""

    def __init__(self, folder: str, step: int, steps: int):
        self.folder, self.begin, self.end = folder, step + _WARM_UP, step + _WARM_UP + steps
        self._running = False

    def before(self, step: int) -> None:
        """Starts the trace where due; call it before the step after `step`."""
        if step == self.begin < self.end:
            jax.profiler.start_trace(self.folder)
            self._running = True

    def after(self, step: int, measured: Any) -> None:
        """Stops the trace where due; call it after step `step` with any of its results."""
        if self._running and step == self.end:
            jax.block_until_ready(measured)
            self.close()

    def close(self) -> None:
        """Stops a running trace, also when the run had fewer steps left."""
        if self._running:
            jax.profiler.stop_trace()
            self._running = False
