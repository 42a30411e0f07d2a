"""Compiled programs: kept on disk for the next start, and announced, as they take up to a minute to make."""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax

logger = logging.getLogger(__name__)


def use_compilation_cache(folder: str) -> None:
    """From now on compiled programs are taken from this folder and kept there; "" changes nothing.

    Those of a machine with so many cores, that is: a CPU's program is made for the cores that the process may
    use, but JAX would also take one that was made with fewer, where each operation then runs on one core.
    """
    if folder:
        jax.config.update("jax_compilation_cache_dir", os.path.join(folder, f"{count_usable_cores()}_cores"))


def count_usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compilation_message(what: str) -> str:
    """The line that says what is compiled, and where it is kept."""
    cache = jax.config.jax_compilation_cache_dir
    return f"compiling {what}" + (f"; {cache} keeps it for the next start" if cache else "")


class LoggedProgram:
    """A jitted function whose making is logged once: it compiles, or takes the program from the cache.

    That happens at its first call, or before it in `prepare`.
    """

    def __init__(self, function: Callable[..., Any], what: str):
        self._function, self._what, self._is_logged = function, what, False

    def __call__(self, *args: Any) -> Any:
        """The function's value."""
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
