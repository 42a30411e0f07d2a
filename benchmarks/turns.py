"""Times the sides of a comparison in turns, so that a busy moment of the machine hits all of them."""

import time
from collections.abc import Callable

_PAUSE = 0.3  # seconds; threads of the side before may spin for a moment


def fastest(
    sides: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Seconds of the fastest turn of each side by that clock, after one turn that doesn't count."""
    times = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, run in sides.items():
            time.sleep(_PAUSE)
            start = clock()
            run()
            if turn:
                times[name].append(clock() - start)
    return {name: min(values) for name, values in times.items()}
