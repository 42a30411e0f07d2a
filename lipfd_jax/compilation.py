"""Compiled programs: kept on disk for the next start, and announced, as they take up to a minute to make."""

import functools
import logging
import os
import time
from collections.abc import Callable
from typing import Any

import jax
from absl import flags

flags.disclaim_key_flags()  # it is the command's own, also in its --help
logger = logging.getLogger(__name__)


def define_flag() -> None:
    """Defines --compilation_cache."""
    flags.DEFINE_string(
        "compilation_cache",
        os.environ.get("JAX_COMPILATION_CACHE_DIR", os.path.expanduser("~/.cache/lipfd_jax/xla")),
        "Folder that keeps compiled programs for the next start; empty for none.",
    )


def keep_in(folder: str) -> None:
    """From now on compiled programs are taken from this folder and kept there; "" changes nothing."""
    if folder:
        jax.config.update("jax_compilation_cache_dir", folder)


def announcement(what: str) -> str:
    """The line that says what is compiled, and where it is kept."""
    cache = jax.config.jax_compilation_cache_dir
    return f"compiling {what}" + (f"; {cache} keeps it for the next start" if cache else "")


def announced(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A jitted function whose first call is logged: it compiles, or takes the program from the cache."""
    waiting = [True]

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        if not waiting:
            return function(*args)
        waiting.clear()
        logger.info("%s", announcement(what))
        started = time.perf_counter()
        result = function(*args)
        logger.info("ready after %.0f s", time.perf_counter() - started)
        return result

    return call
