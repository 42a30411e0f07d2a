"""Says in a line that memory, the machine's or a device's, is not enough for what was asked."""

import contextlib
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
