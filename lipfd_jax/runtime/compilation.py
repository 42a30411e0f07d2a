"""Compiled programs: cached on disk for the next start, and logged, since compiling takes up to a minute."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from typing import Any

import jax

logger = logging.getLogger(__name__)


def use_compilation_cache(folder: str) -> None:
    """Caches compiled programs in a folder from now on; "" changes nothing.

    The cache has a subfolder per number of cores: a CPU program is compiled for the cores that the process
    may use, but JAX would also load one compiled for fewer, where each operation then runs on one core.
    """
    if folder:
        jax.config.update("jax_compilation_cache_dir", os.path.join(folder, f"{count_usable_cores()}_cores"))


def count_usable_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compilation_message(what: str) -> str:
    """Returns the log line with the name of the program and the cache folder."""
    cache = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]  # made at run time
    return f"compiling {what}" + (f"; {cache} keeps it for the next start" if cache else "")


class LoggedProgram:
    """A jitted function whose first compilation (or load from the cache) is logged.

    That is at its first call, or before it in `prepare`.
    """

    def __init__(self, function: jax.stages.Wrapped, what: str):
        self._function, self._what, self._is_logged = function, what, False

    def __call__(self, *args: Any) -> Any:
        """Calls the function."""
        if self._is_logged:
            return self._function(*args)
        with self._log_compilation():
            return self._function(*args)

    def prepare(self, *shapes: Any) -> None:
        """Compiles for arguments of these shapes (`jax.ShapeDtypeStruct` with their shardings)."""
        with contextlib.nullcontext() if self._is_logged else self._log_compilation():
            self._function.lower(*shapes).compile()  # the next call finds it

    @contextlib.contextmanager
    def _log_compilation(self) -> Iterator[None]:
        self._is_logged = True
        logger.info("%s", compilation_message(self._what))
        started = time.perf_counter()
        yield
        logger.info("ready after %.0f s", time.perf_counter() - started)
