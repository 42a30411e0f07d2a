"""Child process of the server: decodes one video, has the server score it, writes result and report."""

import functools
import os
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import jax
import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.report import write_page
from lipfd_jax.detection.result_folder import PAGE, RESULT
from lipfd_jax.detection.texts import Outcome
from lipfd_jax.inference.predictor import Predictions
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.models.saliency import MAP_SHAPE
from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.preprocessing.clip_task import attempt_task
from lipfd_jax.preprocessing.containers import read_promised_seconds
from lipfd_jax.preprocessing.workers import prepare_worker
from lipfd_jax.serving import protocol
from lipfd_jax.storage import files
from lipfd_jax.storage.errors import MachineError
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, REGIONS


@dataclass(frozen=True)
class DetectionTask:
    """One video to analyse, and the attributes of the server's detector."""

    video: Path
    name: str  # as its owner calls it
    settings: DetectionSettings
    minutes: float  # longest video accepted
    metadata: Metadata
    checkpoint: str
    fingerprint: str
    batch_size: int

    @property
    def path(self) -> Path:
        """File that names the task in errors, for `attempt`."""
        return self.video

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the task reads, for `attempt`."""
        return (self.video,)


@dataclass(frozen=True)
class RemoteDetector:
    """A `Predictor` whose network is at the other end of a connection, in the server."""

    connection: Connection
    metadata: Metadata
    path: str
    batch_size: int
    fingerprint: str

    def predict(self, composites: np.ndarray) -> Predictions:
        """As `Detector.predict`."""
        starts = range(0, len(composites), self.batch_size)
        parts = [self._predict_batch(composites[start : start + self.batch_size]) for start in starts]
        empty = Predictions(np.zeros(0, np.float32), np.zeros((0, 5, 3), np.float32))
        return Predictions(*(np.concatenate(values) for values in zip(empty, *parts, strict=True)))

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """As `Detector.saliency`."""
        protocol.send_message(self.connection, protocol.Message("saliency", 1), composite)
        return protocol.receive_optional_array(self.connection, *MAP_SHAPE)

    def _predict_batch(self, composites: np.ndarray) -> Predictions:
        count = len(composites)
        protocol.send_message(self.connection, protocol.Message("predict", count), composites)
        scores = protocol.receive_array(self.connection, count)
        weights = protocol.receive_array(self.connection, count, FRAMES_PER_WINDOW, len(REGIONS))
        return Predictions(scores, weights)


def run_task(connection: Connection, task: DetectionTask) -> None:
    """Analyses a video within a memory limit and sends how it ended."""
    prepare_worker()
    jax.config.update("jax_platforms", "cpu")  # the server uses the accelerators; nothing is computed here
    detector = RemoteDetector(connection, task.metadata, task.checkpoint, task.batch_size, task.fingerprint)
    try:
        tried = attempt_task(
            functools.partial(_detect_video, detector), task, base=memory_limit.private_bytes()
        )
    except (MemoryError, MachineError, OSError) as error:
        protocol.send_message(connection, protocol.Message("machine", text=_public_reason(task, str(error))))
        return
    if tried.result is None:
        protocol.send_message(
            connection, protocol.Message("failed", text=_public_reason(task, tried.problem))
        )
    else:
        protocol.send_message(connection, protocol.Message("done", text=tried.result))


def _detect_video(detector: RemoteDetector, task: DetectionTask) -> Outcome:
    _check_length(task, read_promised_seconds(task.video))

    def report(part: str, done: float, total: float = 0.0) -> None:
        if part == "looking":
            _check_length(task, done)  # headers can be wrong
        of = total if part == "looking" else 0.0
        protocol.send_message(detector.connection, protocol.Message("progress", text=part, done=done, of=of))

    found = detect_video(detector, task.video, settings=task.settings, progress=report)
    file = replace(found.result.file, name=task.name)
    found = replace(found, result=replace(found.result, file=file, command=("lipfd", "serve")))
    folder = task.video.parent
    report("writing", 0.0)  # takes minutes if the first saliency map compiles a large model
    write_page(folder / PAGE, found, detector, task.video)
    files.write_json(folder / RESULT, found.result.to_json())
    return found.result.outcome


def _check_length(task: DetectionTask, seconds: float) -> None:
    if seconds > 60 * task.minutes:
        raise ClipError(f"{task.video}: lasts over {task.minutes:g} minutes, the longest taken here; cut it")


def _public_reason(task: DetectionTask, reason: str) -> str:
    """Returns a reason for the file's owner: with the file's own name and no path of this machine."""
    own = reason.removeprefix(f"{task.video}: ").replace(str(task.video), task.name)
    return own.replace(str(task.video.parent) + os.sep, "")[:2000]
