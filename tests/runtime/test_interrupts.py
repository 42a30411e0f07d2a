"""Interrupts are recorded where they are raised and where a library swallows them."""

import contextlib
import gc
import signal
import sys

import pytest

from lipfd_jax.runtime.interrupts import record_interrupts


def test_an_interrupt_is_raised_and_recorded():
    before = signal.getsignal(signal.SIGINT)
    with record_interrupts() as seen:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with record_interrupts() as inner:
            assert inner is seen
        assert len(seen) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_one_that_is_swallowed_on_garbage_collection_is_recorded_without_a_traceback(capfd):
    def collected(phase, info):
        if not seen:
            signal.raise_signal(signal.SIGINT)

    hook = sys.unraisablehook
    with record_interrupts() as seen:
        gc.callbacks.append(collected)
        with contextlib.suppress(KeyboardInterrupt):
            gc.collect()
        gc.callbacks.remove(collected)
    assert seen
    assert sys.unraisablehook is hook
    assert capfd.readouterr().err == ""
