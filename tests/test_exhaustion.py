"""Want of memory is an error of one line, other errors stay what they are."""

import jax
import pytest

from lipfd_jax.exhaustion import one_line


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("no room"),
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out\nmore"),
    ],
)
def test_want_of_memory_is_said_with_what_helps(error):
    with pytest.raises(SystemExit) as ended, one_line("try less"):
        raise error
    assert ended.value.code.startswith("error: out of memory (")
    assert ended.value.code.endswith("); try less")
    assert "\n" not in ended.value.code


def test_what_xla_says_of_too_much_is_understood():
    with pytest.raises(SystemExit, match="out of memory"), one_line("try less"):
        jax.numpy.zeros((1 << 50,), "float32").block_until_ready()


def test_other_errors_pass():
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"), one_line("try less"):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")
