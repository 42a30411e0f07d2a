"""The videos a server holds: uploading, waiting, judged, or forgotten again."""

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lipfd_jax.detection.texts import Outcome
from lipfd_jax.serving.limits import Limits, Refused

State = Literal["uploading", "waiting", "running", "done", "failed"]
_RESERVE = 256 << 20  # bytes of the disk that stay free beside the largest uploads
_ENDED = ("done", "failed")


@dataclass(frozen=True)
class Job:
    """One video and how far it is."""

    id: str  # random; the only thing that names its folder, and whoever knows it may see the result
    folder: Path
    name: str  # of the file as its owner calls it; only ever shown
    state: State = "uploading"
    bytes: int = 0
    part: str = ""  # what is under way: looking, scoring, writing
    done: float = 0.0  # seconds looked at, windows scored
    of: float = 0.0  # how many there are; 0: not known
    outcome: Outcome | None = None
    reason: str = ""  # why it failed
    changed: float = 0.0  # when its state last changed, seconds on the jobs' clock

    @property
    def video(self) -> Path:
        """The uploaded file."""
        return self.folder / "video"


class Jobs:
    """All videos of a server, for several threads; one of them takes jobs and ends them."""

    def __init__(self, folder: Path, limits: Limits, clock: Callable[[], float] = time.monotonic):
        self._folder, self._limits, self._clock = folder, limits, clock
        self._turn = threading.Condition()
        self._jobs: dict[str, Job] = {}  # in the order they came
        self._closed = False

    def admit(self, name: str) -> Job:
        """A place for an upload, with a folder of its own.

        Raises Refused where the queue is full (503) or the disk is (507).
        """
        with self._turn:
            states = [job.state for job in self._jobs.values()]
            if states.count("uploading") + states.count("waiting") >= self._limits.queue:
                raise Refused(503, "There is no room in the queue just now; try again in a moment.")
            wanted = self._limits.bytes * (states.count("uploading") + 1) + _RESERVE
            if shutil.disk_usage(self._folder).free < wanted:
                raise Refused(507, "The disk of this computer is nearly full.")
            key = secrets.token_hex(16)
            job = Job(key, self._folder / key, name, changed=self._clock())
            job.folder.mkdir(mode=0o700)
            self._jobs[key] = job
        return job

    def enqueue(self, key: str, count: int) -> Job:
        """The upload is whole, `count` bytes of it. Raises KeyError where it was removed meanwhile."""
        with self._turn:
            job = self._set(self._jobs[key], state="waiting", bytes=count)
            self._turn.notify_all()
        return job

    def give_up(self, key: str) -> None:
        """Forgets a job if it is still uploading, and removes its files."""
        with self._turn:
            job = self._jobs.get(key)
            if job is None or job.state != "uploading":
                return
            del self._jobs[key]
        shutil.rmtree(job.folder, ignore_errors=True)

    def take(self) -> Job | None:
        """Waits for a job and takes it, the one that waits longest first; None when closed."""
        with self._turn:
            while not self._closed:
                if queue := self._queue():
                    return self._set(queue[0], state="running")
                self._turn.wait()
        return None

    def told(self, key: str, part: str, done: float, of: float) -> None:
        """How far a running job is."""
        with self._turn:
            if key in self._jobs:
                self._jobs[key] = replace(self._jobs[key], part=part, done=done, of=of)

    def end(self, key: str, outcome: Outcome | None, reason: str = "") -> None:
        """A running job is done, or failed where there is no outcome; one that was removed is gone."""
        with self._turn:
            job = self._jobs.get(key)
            if job is not None:
                self._set(job, state="done" if outcome else "failed", outcome=outcome, reason=reason)
        if job is None:  # who worked on it may have written while its folder was being removed
            shutil.rmtree(self._folder / key, ignore_errors=True)
        self.expire()

    def find(self, key: str) -> tuple[Job, int]:
        """A job and how many wait before it. Raises KeyError."""
        with self._turn:
            job, queue = self._jobs[key], self._queue()
            running = sum(other.state == "running" for other in self._jobs.values())
        return job, running + queue.index(job) if job in queue else 0

    def remove(self, key: str) -> Job:
        """Forgets a job and removes its files; who works on it has to be stopped. Raises KeyError."""
        with self._turn:
            job = self._jobs.pop(key)
        shutil.rmtree(job.folder, ignore_errors=True)
        return job

    def expire(self) -> None:
        """Removes what was kept long enough, and the oldest where there are too many."""
        with self._turn:
            ended = [job for job in self._jobs.values() if job.state in _ENDED]
            ended.sort(key=lambda job: job.changed)
            oldest = self._clock() - 60 * self._limits.kept_minutes
            surplus = len(ended) - self._limits.kept
            gone = [job.id for i, job in enumerate(ended) if i < surplus or job.changed < oldest]
            folders = [self._jobs.pop(key).folder for key in gone]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Nobody gets a job any more."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def _queue(self) -> list[Job]:
        """Those that wait, the longest first; the caller holds the lock."""
        waiting = [job for job in self._jobs.values() if job.state == "waiting"]
        return sorted(waiting, key=lambda job: job.changed)

    def _set(self, job: Job, **changes: object) -> Job:
        """Puts a changed job in place of the old; the caller holds the lock."""
        self._jobs[job.id] = replace(job, **changes, changed=self._clock())
        return self._jobs[job.id]
