"""Worker thread that analyses the queued videos one after the other."""

import logging
import threading
from pathlib import Path
from typing import Protocol

from lipfd_jax.detection.texts import Outcome
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.listing.names import escape_controls
from lipfd_jax.serving.detecting import Progress
from lipfd_jax.serving.jobs import Job, Jobs
from lipfd_jax.storage.errors import MachineError

_LOG = logging.getLogger(__name__)


class VideoDetector(Protocol):
    """Analyses videos, as `detecting.IsolatedDetector` does."""

    def detect(self, video: Path, name: str, report: Progress) -> Outcome:
        """Analyses a video and writes result.json and report.html. Raises ClipError, MachineError."""

    def stop(self, video: Path) -> None:
        """Ends the work on a video if it is the one in work."""


class Worker:
    """Runs detection on jobs from `start` until `stop`."""

    def __init__(self, jobs: Jobs, detector: VideoDetector):
        self.jobs, self._detector = jobs, detector
        self._thread = threading.Thread(target=self._work, name="detection", daemon=True)
        self._current: Job | None = None

    def start(self) -> None:
        """Starts taking jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more jobs and ends the one in work."""
        self.jobs.close()
        if (job := self._current) is not None:
            self._detector.stop(job.video)
        self._thread.join(timeout=10)

    def remove(self, key: str) -> None:
        """Removes a job in any state and ends the work on it. Raises KeyError."""
        job, _ = self.jobs.find(key)
        self._detector.stop(job.video)
        self.jobs.remove(key)

    def _work(self) -> None:
        while (job := self.jobs.take()) is not None:
            self._current = job
            self.jobs.end(job.id, *self._detect(job))
            self._current = None

    def _detect(self, job: Job) -> tuple[Outcome | None, str]:
        """Returns the outcome, or None and a reason."""

        def report(part: str, done: float, of: float) -> None:
            self.jobs.set_progress(job.id, part, done, of)

        try:
            return self._detector.detect(job.video, job.name, report), ""
        except ClipError as error:
            return None, escape_controls(str(error))
        except (MachineError, OSError) as error:
            reason = escape_controls(str(error))
            _LOG.error("a video could not be analysed: %s", reason)
            return None, f"this computer failed, not the file ({reason})"
        except Exception:  # a bug that concerns one video; the server continues
            _LOG.exception("a video could not be analysed")
            return None, "an unexpected fault; the server's log has more"
