"""Queue of a server: videos that are uploading, waiting, running or finished."""

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lipfd_jax.detection.texts import Outcome
from lipfd_jax.serving.limits import Limits, RequestError

State = Literal["uploading", "waiting", "running", "done", "failed"]
_RESERVED_BYTES = 256 << 20  # disk space kept free besides that for the largest uploads
_ENDED = ("done", "failed")


@dataclass(frozen=True)
class Job:
    """One video and its progress."""

    id: str  # random; names the folder, and is all that is needed to see the result
    folder: Path
    name: str  # the uploader's file name; for display only
    state: State = "uploading"
    bytes: int = 0
    part: str = ""  # the current one: looking, scoring, writing
    done: float = 0.0  # seconds searched for faces, or windows scored
    of: float = 0.0  # the total; 0: not known
    outcome: Outcome | None = None
    reason: str = ""  # why it failed
    changed: float = 0.0  # when its state last changed, seconds on the jobs' clock

    @property
    def video(self) -> Path:
        """The uploaded file."""
        return self.folder / "video"


class Jobs:
    """All videos of a server. Thread-safe; one thread takes jobs and ends them."""

    def __init__(self, folder: Path, limits: Limits, clock: Callable[[], float] = time.monotonic):
        self._folder, self._limits, self._clock = folder, limits, clock
        self._turn = threading.Condition()
        self._jobs: dict[str, Job] = {}  # in order of arrival
        self._closed = False

    def admit(self, name: str) -> Job:
        """Adds a job for an upload and makes its folder.

        Raises RequestError if the queue is full (503) or the disk is (507).
        """
        with self._turn:
            states = [job.state for job in self._jobs.values()]
            if states.count("uploading") + states.count("waiting") >= self._limits.queue:
                raise RequestError(503, "There is no room in the queue just now; try again in a moment.")
            wanted = self._limits.bytes * (states.count("uploading") + 1) + _RESERVED_BYTES
            if shutil.disk_usage(self._folder).free < wanted:
                raise RequestError(507, "The disk of this computer is nearly full.")
            key = secrets.token_hex(16)
            job = Job(key, self._folder / key, name, changed=self._clock())
            job.folder.mkdir(mode=0o700)
            self._jobs[key] = job
        return job

    def enqueue(self, key: str, count: int) -> Job:
        """Queues a job after its upload of `count` bytes. Raises KeyError if it was removed meanwhile."""
        with self._turn:
            job = self._store(replace(self._jobs[key], state="waiting", bytes=count))
            self._turn.notify_all()
        return job

    def discard_upload(self, key: str) -> None:
        """Removes a job and its files if it is still uploading."""
        with self._turn:
            job = self._jobs.get(key)
            if job is None or job.state != "uploading":
                return
            del self._jobs[key]
        shutil.rmtree(job.folder, ignore_errors=True)

    def take(self) -> Job | None:
        """Waits for a job and takes the one that has waited longest; returns None when closed."""
        with self._turn:
            while not self._closed:
                if queue := self._queue():
                    return self._store(replace(queue[0], state="running"))
                self._turn.wait()
        return None

    def set_progress(self, key: str, part: str, done: float, of: float) -> None:
        """Records the progress of a running job; see `Job`."""
        with self._turn:
            if key in self._jobs:
                self._jobs[key] = replace(self._jobs[key], part=part, done=done, of=of)

    def end(self, key: str, outcome: Outcome | None, reason: str = "") -> None:
        """Marks a running job as done, or as failed if there is no outcome. A removed one stays removed."""
        with self._turn:
            job = self._jobs.get(key)
            if job is not None:
                state: State = "done" if outcome else "failed"
                self._store(replace(job, state=state, outcome=outcome, reason=reason))
        if job is None:  # the worker may have written while the folder was removed
            shutil.rmtree(self._folder / key, ignore_errors=True)
        self.expire()

    def find(self, key: str) -> tuple[Job, int]:
        """Returns a job and the number of jobs before it. Raises KeyError."""
        with self._turn:
            job, queue = self._jobs[key], self._queue()
            running = sum(other.state == "running" for other in self._jobs.values())
        return job, running + queue.index(job) if job in queue else 0

    def remove(self, key: str) -> Job:
        """Removes a job and its files; the caller stops work on it. Raises KeyError."""
        with self._turn:
            job = self._jobs.pop(key)
        shutil.rmtree(job.folder, ignore_errors=True)
        return job

    def expire(self) -> None:
        """Removes finished jobs that were kept long enough, and the oldest if there are too many."""
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
        """Makes `take` return None from now on."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def _queue(self) -> list[Job]:
        """Waiting jobs, the longest first; the caller holds the lock."""
        waiting = [job for job in self._jobs.values() if job.state == "waiting"]
        return sorted(waiting, key=lambda job: job.changed)

    def _store(self, job: Job) -> Job:
        """Stores a job in its new state and notes the time; the caller holds the lock."""
        self._jobs[job.id] = replace(job, changed=self._clock())
        return self._jobs[job.id]
