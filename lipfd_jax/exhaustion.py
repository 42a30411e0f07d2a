"""Memory, the machine's or a device's: given back, and where it is not enough said in a line."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def one_line(remedy: str) -> Iterator[None]:
    """Ends the process with an error of one line where memory runs out, and with what helps.

    XLA raises its own error for that, of the devices as of the machine; its other errors pass.
    """
    try:
        yield
    except MemoryError as error:
        sys.exit(f"error: out of memory ({str(error) or 'of the machine'}); {remedy}")
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        sys.exit(f"error: out of memory ({str(error).splitlines()[0]}); {remedy}")


def give_back_freed() -> None:
    """Gives the system back what was freed, as after a model's weights were rounded.

    Linux's allocator (glibc) keeps gigabytes of it, in pieces below 32 MiB; others give it back themselves.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
