"""Runs in a process of its own for one video: decodes it, asks the server's model, writes result and page."""

import functools
import os
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import jax
import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.detection.batch_run import PAGE, RESULT
from lipfd_jax.detection.detect import detect
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.report import write_page
from lipfd_jax.detection.texts import Outcome
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing import memory_limit
from lipfd_jax.preprocessing.clip_task import MachineError, attempt_task
from lipfd_jax.preprocessing.containers import read_promised_seconds
from lipfd_jax.preprocessing.workers import prepare_worker
from lipfd_jax.serving import protocol
from lipfd_jax.storage import files
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, REGIONS

_SALIENCY = (50, 125)


@dataclass(frozen=True)
class Task:
    """One video to judge, and what is known of the model."""

    video: Path
    name: str  # as its owner calls it
    settings: DetectionSettings
    minutes: float  # a longer video is refused
    metadata: Metadata
    checkpoint: str
    fingerprint: str
    batch_size: int

    @property
    def path(self) -> Path:
        """The file to name it by."""
        return self.video

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that is read for it."""
        return (self.video,)


@dataclass(frozen=True)
class FarModel:
    """The model as this process sees it: at the other end of a connection."""

    connection: Connection
    metadata: Metadata
    path: str
    batch_size: int
    fingerprint: str

    def predict(self, composites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores (B,) and region weights (B, 5, 3), float32, of up to `batch_size` composites."""
        count = len(composites)
        protocol.send(self.connection, protocol.Message("predict", count), composites)
        scores = protocol.answered(self.connection, count)
        return scores, protocol.answered(self.connection, count, FRAMES_PER_WINDOW, len(REGIONS))

    def saliency(self, composite: np.ndarray) -> np.ndarray | None:
        """As `Detector.saliency`."""
        protocol.send(self.connection, protocol.Message("saliency", 1), composite)
        return protocol.answered(self.connection, *_SALIENCY)


def run(connection: Connection, task: Task) -> None:
    """Judges a video, within bounds of memory, and says how it ended."""
    prepare_worker()
    jax.config.update("jax_platforms", "cpu")  # accelerators belong to the server; nothing is computed here
    model = FarModel(connection, task.metadata, task.checkpoint, task.batch_size, task.fingerprint)
    try:
        tried = attempt_task(functools.partial(_judged, model), task, base=memory_limit.private_bytes())
    except (MemoryError, MachineError, OSError) as error:
        protocol.send(connection, protocol.Message("machine", text=_named(task, str(error))))
        return
    if tried.result is None:
        protocol.send(connection, protocol.Message("failed", text=_named(task, tried.problem)))
    else:
        protocol.send(connection, protocol.Message("done", text=tried.result))


def _judged(model: FarModel, task: Task) -> Outcome:
    _check_length(task, read_promised_seconds(task.video))

    def told(part: str, done: float, total: float = 0.0) -> None:
        if part == "looking":
            _check_length(task, done)  # headers can lie
        of = total if part == "looking" else 0.0
        protocol.send(model.connection, protocol.Message("progress", text=part, done=done, of=of))

    found = detect(model, task.video, settings=task.settings, progress=told)
    file = replace(found.result.file, name=task.name)
    found = replace(found, result=replace(found.result, file=file, command=("lipfd", "serve")))
    folder = task.video.parent
    told("writing", 0.0)  # which takes minutes where the first map of saliency compiles a large model
    write_page(folder / PAGE, found, model, task.video)
    files.write_json(folder / RESULT, found.result.to_json())
    return found.result.outcome


def _check_length(task: Task, seconds: float) -> None:
    if seconds > 60 * task.minutes:
        raise ClipError(f"{task.video}: lasts over {task.minutes:g} minutes, the longest taken here; cut it")


def _named(task: Task, reason: str) -> str:
    """A reason as the file's owner reads it: under the file's own name, and with no path of this machine."""
    own = reason.removeprefix(f"{task.video}: ").replace(str(task.video), task.name)
    return own.replace(str(task.video.parent) + os.sep, "")[:2000]
