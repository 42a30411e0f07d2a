"""The command that trains: how it takes Ctrl-C and SIGTERM."""

import os
import signal

import pytest

from lipfd_jax.commands.train import Preemption


@pytest.fixture
def preemption():
    """A fresh one; the handlers of before come back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Preemption()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_stop(preemption, number):
    assert not preemption(3)
    os.kill(os.getpid(), number)
    assert preemption(4)


def test_ctrl_c_again_stops_at_once(preemption):
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    assert preemption(3)
