"""Prints where the time of this machine goes: decoding, faces, windows, the model, a training step.

    lipfd benchmark
    lipfd benchmark CHECKPOINT VIDEO [--json=times.json]

CHECKPOINT is what --checkpoint of lipfd detect takes, by default the detector that ships; VIDEO is by default
a drawn talking head of three seconds at 224 x 224. Run it on an idle machine: other programs slow it down.
Training steps of large networks take minutes on a CPU; --training=false leaves them out.
"""

import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging
from tqdm import tqdm

from lipfd_jax.checkpoints import shipped
from lipfd_jax.checkpoints.errors import CheckpointError
from lipfd_jax.commands import shared_flags
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.faces.finders import MissingFinder
from lipfd_jax.inference.detector import CompositeDetector
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.runtime import compilation
from lipfd_jax.runtime.memory import exit_when_exhausted
from lipfd_jax.storage.files import write_json
from lipfd_jax.tools import machine_benchmark as benchmark

_PRECISIONS = ("float32", "bfloat16")


def main(argv: Sequence[str]) -> int | None:
    """Measures and prints; returns 1 after an error of one line."""
    if len(argv) > 3:
        raise app.UsageError(f"unexpected argument {argv[3]!r}")
    checkpoint = argv[1] if len(argv) > 1 else shipped.SMALL
    logging.set_verbosity(logging.ERROR)
    compilation.use_compilation_cache(flags.FLAGS.compilation_cache)
    try:
        with exit_when_exhausted("try a smaller network, or --training=false"):
            video = Path(argv[2]) if len(argv) > 2 else None
            measured = measure_machine(checkpoint, video, training=flags.FLAGS.training)
    except (CheckpointError, ClipError, MissingFinder, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(format_times(measured))
    if flags.FLAGS.json:
        write_json(Path(flags.FLAGS.json), measured)
    return None


def measure_machine(checkpoint: str, video: Path | None, *, training: bool) -> dict[str, Any]:
    """Returns the machine, the times of a video, windows a second by precision, and those of training.

    Args:
      checkpoint: as `CompositeDetector.open` takes it.
      video: None for a drawn one.
      training: whether a training step is measured; exports have none.
    """
    device = jax.local_devices()[0]
    with tempfile.TemporaryDirectory() as folder, tqdm(total=4, file=sys.stderr, leave=False) as bar:
        bar.set_description("video")
        detector = CompositeDetector.open(checkpoint)
        drawn = video is None
        video = video or benchmark.draw_video(Path(folder))
        settings = DetectionSettings(crop="none") if drawn else None  # no finder takes a drawn face for one
        times = benchmark.measure_detection(detector, video, settings)
        scoring = {}
        for precision in _PRECISIONS:
            bar.update()
            bar.set_description(precision)
            opened = CompositeDetector.open(checkpoint, precision=precision)
            scoring[precision] = round(benchmark.measure_scoring(opened), 2)
        bar.update()
        bar.set_description("training")
        trains = training and not detector.engine
        trained = round(benchmark.measure_training(detector.metadata), 2) if trains else None
    return {
        "machine": {
            "processor": _name_processor(),
            "cores": compilation.count_usable_cores(),
            "device": device.device_kind,
            "jax": jax.__version__,
        },
        "checkpoint": checkpoint,
        "video": "drawn" if drawn else str(video),
        "size": [times.width, times.height],
        "video_seconds": round(times.seconds, 3),
        "windows": times.windows,
        "decoding_seconds": round(times.decoding, 3),
        "detection_seconds": round(times.whole, 3),
        "parts_seconds": times.parts,
        "hours_per_hour": round(times.hours_per_hour, 2),
        "scored_windows_per_second": scoring,
        "trained_windows_per_second": trained,
    }


def format_times(measured: dict[str, Any]) -> str:
    """Returns what `measure_machine` measured as a table."""
    machine, seconds, whole = (measured[key] for key in ("machine", "video_seconds", "detection_seconds"))
    width, height = measured["size"]
    rest = whole - sum(measured["parts_seconds"].values())
    rows = [
        ("decoding alone", measured["decoding_seconds"]),
        *measured["parts_seconds"].items(),
        ("other", max(rest, 0.0)),
        ("detection as a whole", whole),
    ]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['device']}, jax {machine['jax']}",
        "",
        f"{measured['video']}: {seconds:.1f} s, {width} x {height}, {measured['windows']} windows scored",
        *(f"  {name:22} {value:8.2f} s  {value / seconds:6.2f} of the video's time" for name, value in rows),
        f"  {measured['hours_per_hour']:g} hours of such video an hour",
        "",
        f"{measured['checkpoint']}, windows a second",
        *(f"  {name:22} {value:8.2f}" for name, value in measured["scored_windows_per_second"].items()),
    ]
    if measured["trained_windows_per_second"]:
        rate = measured["trained_windows_per_second"]
        lines += [f"  {'training':22} {rate:8.2f}: a million windows in {1e6 / rate / 3600:.0f} hours"]
    return "\n".join(lines)


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_bool("training", True, "Measure a training step too.")
    flags.DEFINE_string("json", None, "File to write the figures to as well.")
    shared_flags.define_compilation_cache()


def _name_processor() -> str:
    """Returns the name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
