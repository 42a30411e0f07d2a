"""Where the time of this machine goes: decoding, faces, windows, the model by precision, a training step."""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.experiments.lipfd import LIPFD
from lipfd_jax.experiments.small import SMALL
from lipfd_jax.faces.scan import set_threading
from lipfd_jax.inference.detector import CompositeDetector
from lipfd_jax.kernels.dispatch import kernels_for
from lipfd_jax.preprocessing.containers import Damage, decode_frames, open_container
from lipfd_jax.preprocessing.video import find_video_stream
from lipfd_jax.runtime.memory import keep_freed_memory
from lipfd_jax.runtime.mesh import make_mesh, put_on_devices
from lipfd_jax.tools.synthetic.clips import draw_take, write_take
from lipfd_jax.training.config import Experiment
from lipfd_jax.training.state import create_state, make_recipe
from lipfd_jax.training.step import jit_step
from lipfd_jax.vocabulary import COMPOSITE_SHAPE, TILE

_REPEATS = 3  # the fastest counts: other programs only make it slower
_BATCHES = 2
_TRAINED_WINDOWS = 4


@dataclass(frozen=True)
class DetectionTimes:
    """What one video costs."""

    width: int
    height: int
    seconds: float  # of video
    windows: int
    decoding: float  # wall seconds of decoding its frames and nothing else
    parts: dict[str, float]  # wall seconds of each part of a detection
    whole: float  # wall seconds of the detection; more than the parts

    @property
    def hours_per_hour(self) -> float:
        """Hours of such video that are detected in an hour."""
        return self.seconds / self.whole


def draw_video(folder: Path) -> Path:
    """Draws a talking head of two to three seconds; returns its file."""
    write_take(draw_take(0, 0), folder, "drawn")
    return folder / "0_real" / "drawn.mp4"


def measure_decoding(video: Path) -> float:
    """Returns the wall seconds that decoding a video takes. Raises ClipError if it can't be decoded."""
    begin = time.perf_counter()
    with open_container(video) as container:
        stream = find_video_stream(video, container)
        set_threading(stream)
        for _ in decode_frames(video, container, stream, Damage("keep")):
            pass
    return time.perf_counter() - begin


def measure_detection(
    detector: CompositeDetector, video: Path, settings: DetectionSettings | None = None
) -> DetectionTimes:
    """Detects a video twice, for whatever is made once, and returns the times of the second.

    Raises:
      ClipError: the video can't be read.
      MissingFinder: no face finder is installed.
    """
    detect_video(detector, video, settings=settings)
    decoding = min(measure_decoding(video) for _ in range(_REPEATS))
    begin = time.perf_counter()
    detection = detect_video(detector, video, settings=settings)
    whole, scan = time.perf_counter() - begin, detection.analysis.scan
    return DetectionTimes(
        scan.width,
        scan.height,
        seconds=float(scan.end - scan.times[0]),
        windows=sum(len(face.windows) for face in detection.result.faces),
        decoding=decoding,
        parts=detection.result.timing,
        whole=whole,
    )


def measure_scoring(detector: CompositeDetector) -> float:
    """Returns windows a second through the network of a detector, in its batches."""
    composites = np.zeros((detector.batch_size * _BATCHES, *COMPOSITE_SHAPE), np.uint8)
    detector.predict(composites)
    return len(composites) / _take_fastest(lambda: detector.predict(composites))


def measure_training(metadata: Metadata) -> float:
    """Returns windows a second of training steps of a checkpoint's network, as its experiment trains it."""
    keep_freed_memory()
    experiment = plan_training(metadata)
    mesh = make_mesh(devices=jax.local_devices()[:1])
    kernels = kernels_for(mesh.devices.flat, precision=experiment.model.dtype)
    recipe = make_recipe(experiment, kernels)
    state = create_state(recipe, mesh)
    batch = put_on_devices(_make_batch(experiment), mesh)
    step = jit_step(recipe, kernels, state)

    def advance() -> None:
        nonlocal state
        state, measured = step(state, batch)
        jax.block_until_ready(measured)

    advance()
    return experiment.batch_size / _take_fastest(advance)


def plan_training(metadata: Metadata) -> Experiment:
    """Returns the experiment that trains networks like a checkpoint's, with small batches."""
    experiment = SMALL if metadata.model.encoder == "none" else LIPFD
    return dataclasses.replace(
        experiment, model=metadata.model, batch_size=_TRAINED_WINDOWS, start_backbone="", start_encoder=""
    )


def _make_batch(experiment: Experiment) -> dict[str, np.ndarray]:
    count = experiment.batch_size
    labels = np.arange(count, dtype=np.int32) % 2
    if experiment.data.pairs.wanted:
        shape = (count, len(experiment.model.inputs.frame_numbers), TILE, TILE, 3)
        return {"frames": np.zeros(shape, np.uint8), "label": labels}
    return {"composite": np.zeros((count, *COMPOSITE_SHAPE), np.uint8), "label": labels}


def _take_fastest(function: Callable[[], object]) -> float:
    """Returns the shortest wall seconds of a few calls."""
    seconds = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
