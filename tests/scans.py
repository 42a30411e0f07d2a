"""Clocks and scans of videos that need no file: given times, and nothing wrong with them."""

import dataclasses

import numpy as np

from lipfd_jax.faces.scan import Scan
from lipfd_jax.preprocessing.clock import FileClock, StreamClock


def make_clock(times: np.ndarray, step: float = 0.04, *, counted: bool = False) -> FileClock:
    """The clock of a video whose frames are shown at `times` (n,), in seconds, without sound."""
    end = float(times[-1]) + step
    video = StreamClock(0, (0,), (0,), np.asarray(times, float), end, step, counted, frozenset())
    return FileClock(video, None, (), (), 0.0, 0.0, 0)


def make_scan(times: np.ndarray, step: float = 0.04, **fields) -> Scan:
    """A scan of 640x480 frames shown at `times` (n,), in seconds, without faces; `fields` replace others."""
    none, clock = np.zeros(len(times), bool), make_clock(times, step)
    assert clock.video is not None
    scan = Scan(
        640, 480, clock.video.slots, clock.video.end, (), 0, none, none, True, 8000 * len(times), (), clock
    )
    return dataclasses.replace(scan, **fields)
