"""A trace of some steps of a run, for TensorBoard or xprof."""

from typing import Any

import jax

_WARM_UP = 3  # steps that are not typical


class Trace:
    """Traces `steps` steps into a folder, from a few after the first one on; 0 for none."""

    def __init__(self, folder: str, step: int, steps: int):
        self.folder, self.begin, self.end = folder, step + _WARM_UP, step + _WARM_UP + steps
        self._running = False

    def before(self, step: int) -> None:
        """To be called before the step after `step`."""
        if step == self.begin < self.end:
            jax.profiler.start_trace(self.folder)
            self._running = True

    def after(self, step: int, measured: Any) -> None:
        """To be called after step `step`, with anything it computed."""
        if self._running and step == self.end:
            jax.block_until_ready(measured)
            self.close()

    def close(self) -> None:
        """Ends it also where fewer steps were left than were asked for."""
        if self._running:
            jax.profiler.stop_trace()
            self._running = False
