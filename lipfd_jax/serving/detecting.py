"""Judges uploaded videos: each is read in a process of its own, which may die; the model stays here."""

import logging
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from lipfd_jax.detection.detect import Model
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.texts import OUTCOMES, Outcome
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.preprocessing.clip_task import MachineError
from lipfd_jax.serving import protocol, reader
from lipfd_jax.serving.limits import Limits

Told = Callable[[str, float, float], None]  # the part under way, how much of it is done, how much there is
_LOG = logging.getLogger(__name__)
_PRELOADED = ["lipfd_jax.serving.reader"]


class Judge:
    """Judges one video at a time; others may stop it."""

    def __init__(self, model: Model, settings: DetectionSettings, limits: Limits):
        self._model, self._settings, self._limits = model, settings, limits
        self._context = _context()
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._video: Path | None = None  # what is judged now
        self._overdue = False

    def __call__(self, video: Path, name: str, told: Told) -> Outcome:
        """Judges a video; result.json and report.html come to lie beside it.

        Raises:
          ClipError: the file can't be judged; the message is the reason, under `name` where it needs one.
          MachineError: this machine failed, or is short of memory or disk.
        """
        kills = memory_limit.count_oom_kills()
        with self._reading(video, name) as connection:
            try:
                return self._conversation(connection, told)
            except (EOFError, OSError, protocol.Garbled) as error:
                _LOG.info("the process of %s ended: %r", video.parent.name, error)
                raise self._death(kills) from error

    def stop(self, video: Path) -> None:
        """Ends the work on a video if that is what is judged now."""
        with self._lock:
            if self._video == video and self._process is not None:
                self._process.kill()

    def _conversation(self, connection: Connection, told: Told) -> Outcome:
        while True:
            message = protocol.received(connection)
            match message.kind:
                case "progress":
                    told(message.text, message.done, message.of)
                case "predict" | "saliency":
                    self._answer(connection, message)
                case "done" if message.text in OUTCOMES:
                    return message.text
                case "failed":
                    raise ClipError(message.text)
                case "machine":
                    raise MachineError(message.text)
                case _:
                    raise protocol.Garbled(f"unknown outcome {message.text!r}")

    def _answer(self, connection: Connection, message: protocol.Message) -> None:
        composites = protocol.received_composites(connection, message.count, self._model.batch_size)
        try:
            if message.kind == "predict":
                found = tuple(self._model.predict(composites))
            else:
                found = (self._model.saliency(composites[0]),)
        except Exception as error:  # of the model: none of the file's fault
            raise MachineError(f"the model failed: {type(error).__name__}: {error}") from error
        protocol.answer(connection, *found)

    @contextmanager
    def _reading(self, video: Path, name: str) -> Iterator[Connection]:
        """A process that reads a video; killed at the end, and after the time that is given to one video."""
        model, limits = self._model, self._limits
        task = reader.Task(
            video,
            name,
            self._settings,
            limits.minutes,
            model.metadata,
            Path(model.path).name,  # where it lies here is nobody's business elsewhere
            model.fingerprint,
            model.batch_size,
        )
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=reader.run, args=(theirs, task), daemon=True)
        process.start()  # outside the lock: the first one waits for imports, and who stops videos must not
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

    def _death(self, kills: int) -> Exception:
        if self._overdue:
            return ClipError(f"took over {self._limits.work_minutes:g} minutes and was given up")
        if memory_limit.count_oom_kills() > kills:
            return MachineError(
                "the process that read the video was killed as this computer ran out of memory"
            )
        return ClipError("the process that read it ended; the file may be damaged")


def _context() -> multiprocessing.context.BaseContext:
    """Processes that start fast, from one that has imported what they need, where the system allows."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(_PRELOADED)
        forkserver.ensure_running()  # imports while the first video is still to come
    return context
