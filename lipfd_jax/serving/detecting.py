"""Detects manipulation in uploads: a child process, which may crash, reads each; the model stays here."""

import logging
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.texts import OUTCOMES, Outcome
from lipfd_jax.inference.predictor import Predictor
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.serving import protocol, reader
from lipfd_jax.serving.limits import Limits
from lipfd_jax.storage.errors import MachineError

if TYPE_CHECKING:  # not every system has both
    from multiprocessing.context import ForkServerContext, SpawnContext

Progress = Callable[[str, float, float], None]  # called with the current part, the amount done and the total
_LOG = logging.getLogger(__name__)
_PRELOADED = ["lipfd_jax.serving.reader"]


class IsolatedDetector:
    """Runs detection on one video at a time in a child process; other threads may stop it."""

    def __init__(self, detector: Predictor, settings: DetectionSettings, limits: Limits):
        self._detector, self._settings, self._limits = detector, settings, limits
        self._context = _process_context()
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._video: Path | None = None  # the video being scored
        self._overdue = False

    def detect(self, video: Path, name: str, report: Progress) -> Outcome:
        """Runs detection on a video and writes result.json and report.html to its folder.

        Args:
          name: of the file as its owner calls it.
          report: called with the progress.

        Raises:
          ClipError: the file can't be analysed; the message is the reason and uses `name`.
          MachineError: this machine failed, or is short of memory or disk.
        """
        kills = memory_limit.count_oom_kills()
        with self._child_process(video, name) as connection:
            try:
                return self._serve_requests(connection, report)
            except (EOFError, OSError, protocol.ProtocolError) as error:
                _LOG.info("the process of %s ended: %r", video.parent.name, error)
                raise self._explain_exit(kills) from error

    def stop(self, video: Path) -> None:
        """Ends the work on a video if it is the one in work."""
        with self._lock:
            if self._video == video and self._process is not None:
                self._process.kill()

    def _serve_requests(self, connection: Connection, report: Progress) -> Outcome:
        while True:
            message = protocol.receive_message(connection)
            match message.kind:
                case "progress":
                    report(message.text, message.done, message.of)
                case "predict" | "saliency":
                    self._answer(connection, message)
                case "done" if message.text in OUTCOMES:
                    return message.text
                case "failed":
                    raise ClipError(message.text)
                case "machine":
                    raise MachineError(message.text)
                case _:
                    raise protocol.ProtocolError(f"unknown outcome {message.text!r}")

    def _answer(self, connection: Connection, message: protocol.Message) -> None:
        composites = protocol.receive_composites(connection, message.count, self._detector.batch_size)
        try:
            if message.kind == "predict":
                results = tuple(self._detector.predict(composites))
            else:
                results = (self._detector.saliency(composites[0]),)
        except Exception as error:  # the model's fault, not the file's
            raise MachineError(f"the model failed: {type(error).__name__}: {error}") from error
        protocol.send_arrays(connection, *results)

    @contextmanager
    def _child_process(self, video: Path, name: str) -> Iterator[Connection]:
        """Starts a process that reads a video; kills it at the end or when its time is over."""
        detector, limits = self._detector, self._limits
        task = reader.DetectionTask(
            video,
            name,
            self._settings,
            limits.minutes,
            detector.metadata,
            Path(detector.path).name,  # results leave this machine, so they don't hold its paths
            detector.fingerprint,
            detector.batch_size,
        )
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=reader.run_task, args=(theirs, task), daemon=True)
        process.start()  # outside the lock: the first start waits for imports, and `stop` must not
        theirs.close()
        with self._lock:
            self._process, self._video, self._overdue = process, video, False
        timer = threading.Timer(60 * limits.work_minutes, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield ours
        finally:
            timer.cancel()
            with self._lock:
                self._process = self._video = None
            process.kill()
            process.join()
            ours.close()

    def _give_up(self) -> None:
        with self._lock:
            if self._process is not None:
                self._overdue = True
                self._process.kill()

    def _explain_exit(self, kills: int) -> Exception:
        if self._overdue:
            return ClipError(f"took over {self._limits.work_minutes:g} minutes and was given up")
        if memory_limit.count_oom_kills() > kills:
            return MachineError(
                "the process that read the video was killed as this computer ran out of memory"
            )
        return ClipError("the process that read it ended; the file may be damaged")


def _process_context() -> "ForkServerContext | SpawnContext":
    """Returns a forkserver that has imported what the child needs, where the system has one; else spawn."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    forkserver.ensure_running()  # imports before the first video comes
    return context
