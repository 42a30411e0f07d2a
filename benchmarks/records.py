"""Windows per second and bytes per window of building and reading records, next to the released preparation.

    python -m benchmarks.records --avlips=DIR [--copies=10] [--workers=2] [--long_video] [--output=FILE]

The other side is a re-creation of what the released script does, with the libraries it uses: one process, the
mel image through a temporary file, one PNG of 2500x1000 per window by matplotlib, read back by OpenCV.
Both sides run in one go on the same clips; the ratios are what counts. `--long_video` builds a video of ten
minutes in 1080p instead and tells how much memory that took.
"""

import concurrent.futures
import contextlib
import dataclasses
import json
import pathlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import av
import cv2
import librosa
import matplotlib.pyplot as plt
import numpy as np
import psutil
import tensorflow_datasets as tfds
from absl import app, flags

from datasets_tfds import report
from datasets_tfds.avlips.avlips_dataset_builder import Builder
from datasets_tfds.avlips.make_dummy_data import chirp, write_wav
from datasets_tfds.build import build
from datasets_tfds.build_settings import BuildSettings, select_settings
from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.listing.clips import Clip
from lipfd_jax.preprocessing import encoding
from lipfd_jax.preprocessing.released_windows import released_frames, released_starts

_AVLIPS = flags.DEFINE_string("avlips", None, "Clips in the AVLips layout, with wavs.")
_COPIES = flags.DEFINE_integer("copies", 10, "How often our side builds them, to get past its start.")
_WORKERS = flags.DEFINE_integer("workers", 2, "Processes of our side, and threads of both when reading.")
_CONFIGS = flags.DEFINE_list(
    "configs", ["avlips", "avlips:3", "avlips-lossy", "avlips-composite"], "name[:effort]."
)
_LONG = flags.DEFINE_bool("long_video", False, "Measure the memory of a long video instead.")
_OUTPUT = flags.DEFINE_string("output", None, "Where to write the figures as JSON.")


def released_preparation(clip: Clip, output: pathlib.Path) -> list[pathlib.Path]:
    """The composites of one clip, made the way the released script makes them."""
    capture = cv2.VideoCapture(str(clip.path))
    starts = released_starts(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    wanted, kept, number = set(released_frames(starts)), [], 0
    while (read := capture.read())[0]:
        if number in wanted:
            kept.append(cv2.resize(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), (500, 500)))
        number += 1
    samples, rate = librosa.load(clip.wav)
    decibels = librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=rate), ref=np.min)
    temporary = output / "mel.png"
    plt.imsave(temporary, decibels)
    mel = (plt.imread(temporary) * 255).astype(np.uint8)[:, :, :3]
    per_frame, paths = mel.shape[1] / number, []
    for index in range(len(kept) // 5):
        first, last = round(starts[index] * per_frame), round((starts[index] + 5) * per_frame)
        upper = cv2.resize(mel[:, first:last], (2500, 500))
        lower = np.concatenate(kept[index * 5 : index * 5 + 5], axis=1)
        paths.append(output / f"{clip.video.replace('/', '_')}_{index}.png")
        plt.imsave(paths[-1], np.concatenate([upper, lower]))
    return paths


@dataclasses.dataclass
class Cost:
    """What a call took, worker processes included."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    worker_mib: float = 0.0  # largest resident memory of a process below this one
    parent_mib: float = 0.0


def cost(function: Callable[[], Any]) -> tuple[Cost, Any]:
    """Calls a function, watching this process and all below it; returns its cost and its result."""
    found, ended, parent, cpu = Cost(), threading.Event(), psutil.Process(), {}

    def watch() -> None:
        while not ended.wait(0.05):
            for process in [parent, *parent.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    who = "parent_mib" if process == parent else "worker_mib"
                    resident = process.memory_info().rss / 2**20
                    setattr(found, who, max(getattr(found, who), resident))
                    cpu[process.pid] = sum(process.cpu_times()[:2])

    watcher, before = threading.Thread(target=watch), sum(parent.cpu_times()[:2])
    watcher.start()
    try:
        found.seconds, result = _timed(function)
    finally:
        ended.set()
        watcher.join()
    cpu[parent.pid] = sum(parent.cpu_times()[:2]) - before
    found.cpu_seconds = sum(cpu.values())
    return found, result


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def measure_released(clips: list[Clip], folder: pathlib.Path, threads: int) -> dict[str, float]:
    """Windows per second of the released way, and bytes per window."""
    folder.mkdir()
    released_preparation(clips[0], folder)  # first use loads libraries
    built, made = cost(lambda: [path for clip in clips for path in released_preparation(clip, folder)])
    reading, _ = _timed(lambda: _all(lambda path: cv2.imread(str(path)), made, threads))
    size = sum(path.stat().st_size for path in made)
    return _figures(len(made), built, reading, size)


def measure_ours(
    data: pathlib.Path, folder: pathlib.Path, settings: BuildSettings, workers: int
) -> dict[str, float]:
    """The same of records: the whole command's work, start of the processes included."""
    built, builder = cost(
        lambda: build(manual_dir=str(data), data_dir=str(folder), settings=settings, workers=workers)
    )
    made = report.read_report(builder.data_path)
    source = _source(builder)
    reading, _ = _timed(
        lambda: _all(lambda i: encoding.rebuild_composite(source[i]), range(len(source)), workers)
    )
    return _figures(made["records"], built, reading, made["bytes"])


def _source(builder: Builder) -> Any:
    skip = {"composite": tfds.decode.SkipDecoding()} if "composite" in builder.info.features else None
    return builder.as_data_source("train", decoders=skip)


def _all(function: Callable[[Any], Any], inputs: Any, threads: int) -> None:
    cv2.setNumThreads(0)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(function, inputs):
            pass


def _figures(windows: int, built: Cost, reading: float, size: int) -> dict[str, float]:
    return {
        "windows": windows,
        "built per second": windows / built.seconds,
        "built per CPU second": windows / built.cpu_seconds,
        "read per second": windows / reading,
        "bytes per window": size / windows,
    }


def compare(avlips: pathlib.Path, scratch: pathlib.Path) -> dict[str, dict[str, float]]:
    """Figures of both sides for every config, and the ratios to the released way."""
    data = scratch / "data"
    for kind, path in [(clip.path.parent.name, clip.path) for clip in list_avlips(avlips).clips]:
        for copy in range(_COPIES.value):
            for old in (path, avlips / "wav" / kind / f"{path.stem}.wav"):
                new = data / old.relative_to(avlips).with_name(f"{copy:03d}x{old.name}")
                new.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(old, new)
    clips, sides = list(list_avlips(avlips).clips), {}
    for name in _CONFIGS.value:
        config, _, effort = name.partition(":")
        settings = select_settings(config, effort=int(effort or 0), held_out=False, fractions=(1.0, 0.0, 0.0))
        theirs = measure_released(clips, scratch / f"released-{name}", _WORKERS.value)
        ours = measure_ours(data, scratch / name.replace(":", "-"), settings, _WORKERS.value)
        for figure in ("built per second", "built per CPU second", "read per second", "bytes per window"):
            ours[f"{figure}, ratio"] = ours[figure] / theirs[figure]
        sides |= {f"released, before {name}": theirs, name: ours}  # in turns: the machine's mood hits both
    return sides


def long_video(scratch: pathlib.Path) -> dict[str, dict[str, float]]:
    """Peak memory of building a video of ten minutes, 1920x1080 at 25 frames a second."""
    path = scratch / "data" / "0_real" / "long.mp4"
    path.parent.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(cv2.blur(noise, (9, 9)), format="rgb24").reformat(format="yuv420p")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for number in range(15_000):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    write_wav(
        scratch / "data" / "wav" / "0_real" / "long.wav", chirp(0, seconds=600, rate=22_050), rate=22_050
    )
    settings = select_settings("avlips", fractions=(1.0, 0.0, 0.0))
    taken, _ = cost(
        lambda: build(manual_dir=str(scratch / "data"), data_dir=str(scratch), settings=settings, workers=1)
    )
    return {"long video": dataclasses.asdict(taken)}


def main(_: list[str]) -> None:
    """Measures, prints a table and writes the figures."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        sides = long_video(scratch) if _LONG.value else compare(pathlib.Path(_AVLIPS.value), scratch)
    for side, figures in sides.items():
        print(f"{side:34}", "  ".join(f"{name} {value:.2f}" for name, value in figures.items()))
    if _OUTPUT.value:
        pathlib.Path(_OUTPUT.value).write_text(json.dumps(sides, indent=2))


if __name__ == "__main__":
    app.run(main)
