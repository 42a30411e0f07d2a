"""Times the sides of a comparison in turns, so that a busy moment of the machine hits all of them."""

import time
from collections.abc import Callable

_PAUSE = 0.3  # seconds; threads of the side before may spin for a moment


def fastest(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds of the fastest turn of each side, after one turn that doesn't count."""
    times = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, run in sides.items():
            time.sleep(_PAUSE)
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in times.items()}
