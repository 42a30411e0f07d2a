"""One thread that judges the waiting videos, one after the other."""

import logging
import threading
from pathlib import Path
from typing import Protocol

from lipfd_jax.detection.texts import Outcome
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.preprocessing.clip_task import MachineError
from lipfd_jax.serving.detecting import Told
from lipfd_jax.serving.jobs import Job, Jobs

_LOG = logging.getLogger(__name__)


class Judging(Protocol):
    """What judges videos, as `judge.Judge` does."""

    def __call__(self, video: Path, name: str, told: Told) -> Outcome:
        """Judges a video, writes result.json and report.html beside it. Raises ClipError, MachineError."""

    def stop(self, video: Path) -> None:
        """Ends the work on a video if that is what is judged now."""


class Worker:
    """Judges jobs from `start` until `stop`."""

    def __init__(self, jobs: Jobs, judge: Judging):
        self.jobs, self._judge = jobs, judge
        self._thread = threading.Thread(target=self._work, name="judge", daemon=True)
        self._current: Job | None = None

    def start(self) -> None:
        """Begins to take jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more jobs and gives up the one in work."""
        self.jobs.close()
        if (job := self._current) is not None:
            self._judge.stop(job.video)
        self._thread.join(timeout=10)

    def remove(self, key: str) -> None:
        """Forgets a job, whatever its state, and ends the work on it. Raises KeyError."""
        job, _ = self.jobs.find(key)
        self._judge.stop(job.video)
        self.jobs.remove(key)

    def _work(self) -> None:
        while (job := self.jobs.take()) is not None:
            self._current = job
            self.jobs.end(job.id, *self._judged(job))
            self._current = None

    def _judged(self, job: Job) -> tuple[Outcome | None, str]:
        """The outcome, or None and a reason."""

        def told(part: str, done: float, of: float) -> None:
            self.jobs.told(job.id, part, done, of)

        try:
            return self._judge(job.video, job.name, told), ""
        except ClipError as error:
            return None, escape_controls(str(error))
        except (MachineError, OSError) as error:
            reason = escape_controls(str(error))
            _LOG.error("a video could not be judged: %s", reason)
            return None, f"this computer failed, not the file ({reason})"
        except Exception:  # a fault of ours, but one video's; the server goes on
            _LOG.exception("a video could not be judged")
            return None, "an unexpected fault; the server's log has more"
