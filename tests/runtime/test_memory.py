"""Running out of memory exits with a one-line error; other errors pass."""

import os
import subprocess
import sys

import jax
import pytest

from lipfd_jax.runtime.memory import exit_when_exhausted


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("no room"),
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out\nmore"),
    ],
)
def test_want_of_memory_is_said_with_what_helps(error):
    with pytest.raises(SystemExit) as ended, exit_when_exhausted("try less"):
        raise error
    assert ended.value.code.startswith("error: out of memory (")
    assert ended.value.code.endswith("); try less")
    assert "\n" not in ended.value.code


def test_what_xla_says_of_too_much_is_understood():
    with pytest.raises(SystemExit, match="out of memory"), exit_when_exhausted("try less"):
        jax.numpy.zeros((1 << 50,), "float32").block_until_ready()


def test_other_errors_pass():
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"), exit_when_exhausted("try less"):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


# Pages that the system hands out for a block of 200 MB, taken for the third time.
TAKE_AGAIN = """
import resource, numpy as np
from lipfd_jax.runtime.memory import keep_freed_memory
{first}
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(200_000_000, np.uint8)
    pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(pages * resource.getpagesize())
"""


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", {}), reason="not glibc")
def test_what_is_freed_is_kept_where_asked():
    given, kept = (
        int(subprocess.check_output([sys.executable, "-c", TAKE_AGAIN.format(first=first)], text=True))
        for first in ("", "keep_freed_memory()")
    )
    assert kept < 20_000_000
    assert given > kept  # by its size where the system has small pages only
