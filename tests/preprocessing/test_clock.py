"""Stamps and times of frames: corrected recording by recording, counted where a file has no times."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from lipfd_jax.preprocessing.clock import FrameTimes, Stamp, StreamClock


def _clock(**fields):
    usual = {
        "index": 0,
        "firsts": (0,),
        "ticks": (0,),
        "slots": np.arange(10) / 25,
        "end": 0.4,
        "step": 0.04,
        "counted": False,
        "seams": frozenset(),
    }
    return StreamClock(**usual | fields)


def _frame(time):
    return SimpleNamespace(time=time)


def _packet(pts, dts=None, size=1):
    return SimpleNamespace(pts=pts, dts=dts, size=size, time_base=Fraction(1, 25))


def test_packets_get_the_ticks_of_their_recording():
    stamp = Stamp(_clock(firsts=(0, 2), ticks=(0, 100), seams=frozenset({1, 2})))
    packets = [_packet(0), _packet(1, 1), _packet(None, 0), _packet(1, 1), _packet(None, None, size=0)]
    assert [stamp.correct(packet) for packet in packets] == [False, True, True, False, False]
    assert [packet.pts for packet in packets] == [0, 1, None, 101, None]
    assert [packet.dts for packet in packets] == [None, 1, 100, 101, None]


def test_plain_times_are_those_of_the_frames():
    shown = FrameTimes(_clock())
    assert [shown.take(_frame(k / 25)) for k in range(10)] == [k / 25 for k in range(10)]


def test_a_missing_or_impossible_time_is_the_next_free_one():
    shown = FrameTimes(_clock())
    given = [None, 0.04, None, 0.12, 500.0, 0.2, -300.0, 0.28, 0.32, None, None]
    assert [shown.take(_frame(time)) for time in given] == pytest.approx([k / 25 for k in range(11)])


def test_time_never_runs_back():
    shown = FrameTimes(_clock())
    assert [shown.take(_frame(time)) for time in (0.0, 0.08, 0.04, 0.12)] == [0.0, 0.08, 0.08, 0.12]


def test_without_times_frames_are_counted():
    shown = FrameTimes(_clock(counted=True))
    assert [shown.take(_frame(9.0)) for _ in range(11)] == pytest.approx([k / 25 for k in range(11)])
