"""Scoring programs: a batch's pairs at once, made before they are needed."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.inference.program import PairedProgram, make_forward
from lipfd_jax.runtime.compilation import LoggedProgram
from lipfd_jax.runtime.mesh import make_mesh


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 10])
def test_pairs_give_what_the_whole_gives(count):
    batch = {"a": jnp.arange(count), "b": jnp.arange(2.0 * count).reshape(count, 2)}

    def program(state, batch):
        return batch["a"] + state, batch["b"].sum(1)

    run = PairedProgram(jax.jit(program))
    for _ in range(2):  # compiled, and by both threads
        for found, expected in zip(run(1, batch), program(1, batch), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_batch_s_pairs_are_computed_at_once_but_compiled_one_after_the_other():
    calls, together = [], threading.Barrier(2, timeout=10)

    def program(state, batch):
        calls.append(len(batch))
        if len(calls) > 2:
            together.wait()  # breaks unless both pairs are in here
        return batch

    run = PairedProgram(program)
    run(None, jnp.zeros(4))
    run(None, jnp.zeros(4))
    assert calls == [2, 2, 2, 2]


def test_kernels_that_lack_the_precision_are_refused():
    with pytest.raises(ValueError, match="kernels='plain' compute in float32"):
        make_forward(None, make_mesh(devices=jax.devices()[:1]), "plain", "bfloat16")


def test_what_was_made_ahead_is_what_runs():
    """For batches of any even size, by both threads from the first call on."""
    traced = []

    def program(state, batch):
        traced.append(batch.shape)
        return batch + state

    run = PairedProgram(LoggedProgram(jax.jit(program), "a sum"))
    run.prepare(*(jax.ShapeDtypeStruct(shape, np.float32) for shape in ((), (4, 3))))
    for count in (4, 2, 6):
        batch = np.arange(3.0 * count, dtype=np.float32).reshape(count, 3)
        np.testing.assert_array_equal(run(np.float32(1), batch), batch + 1)
    assert traced == [(2, 3)]
