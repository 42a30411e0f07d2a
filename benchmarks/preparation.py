"""Windows per second from clips to records and from records to composites, beside the released script.

    python -m benchmarks.preparation --avlips=DIR [--seconds=20] [--workers=2] [--output=preparation.json]

The released script's work per clip is done here with the same libraries (OpenCV frames, librosa mel written
to a temporary picture by matplotlib and read back, composites saved by matplotlib), in one process as there.
Sides take turns on the same clips in one run; starting processes and first imports are not counted.
"""

import functools
import itertools
import json
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import librosa
import matplotlib.image
import numpy as np
from absl import app, flags

from lipfd_jax.preprocessing import encoding
from lipfd_jax.preprocessing.clips import Clip, avlips_clips
from lipfd_jax.preprocessing.extraction import extract
from lipfd_jax.preprocessing.windows import released_frames, released_starts
from lipfd_jax.preprocessing.workers import each_clip

_AVLIPS = flags.DEFINE_string("avlips", None, "Clips in the AVLips layout.", required=True)
_SECONDS = flags.DEFINE_float("seconds", 20.0, "How long each side works.")
_WORKERS = flags.DEFINE_integer("workers", 2, "Processes that build, threads that read.")
_OUTPUT = flags.DEFINE_string("output", None, "Where to write the figures as JSON.")

_TURNS = 4
_RECORDS = {"compact": ("compact", 0), "compact, effort 1": ("compact", 1), "lossy": ("lossy", 0)}


def released_clip(clip: Clip, folder: pathlib.Path) -> Iterator[int]:
    """Bytes of each picture that the released script would make of a clip, written as it writes them."""
    capture = cv2.VideoCapture(str(clip.path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    starts, frames, number = released_starts(count), [], 0
    wanted = set(released_frames(starts))
    while (read := capture.read())[0]:
        if number in wanted:
            frames.append(cv2.cvtColor(cv2.resize(read[1], (500, 500)), cv2.COLOR_BGR2RGB))
        number += 1
    samples, rate = librosa.load(clip.wav)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=rate), ref=np.min)
    matplotlib.image.imsave(folder / "mel.png", mel)
    mel = (matplotlib.image.imread(folder / "mel.png") * 255).astype(np.uint8)[..., :3]
    for index in range(len(frames) // 5):
        first, last = (round(n * mel.shape[1] / count) for n in (starts[index], starts[index] + 5))
        top = cv2.resize(np.ascontiguousarray(mel[:, first:last]), (2500, 500))
        below = np.concatenate(frames[5 * index : 5 * index + 5], axis=1)
        path = folder / f"{index}.png"
        matplotlib.image.imsave(path, np.concatenate([top, below]))
        yield path.stat().st_size


def records_of(clip: Clip, kind: str, effort: int) -> list[int]:
    """Bytes of each record of a clip."""
    windows = extract(clip).windows
    return [sum(map(len, encoding.encode(window, kind, effort=effort).values())) for window in windows]


def building(clips: tuple[Clip, ...], folder: pathlib.Path) -> dict[str, dict[str, float]]:
    """Figures of the released way and of ours, per encoding."""
    released = itertools.chain.from_iterable(released_clip(clip, folder) for clip in itertools.cycle(clips))
    sides = {"released": (released, 10)}
    for name, (kind, effort) in _RECORDS.items():
        work = functools.partial(records_of, kind=kind, effort=effort)
        outcomes = each_clip(work, itertools.cycle(clips), workers=_WORKERS.value)
        # What the workers had ready before the turn began does not count.
        sides[name] = (
            itertools.chain.from_iterable(outcome.result for outcome in outcomes),
            50 * _WORKERS.value,
        )
    sizes: dict[str, list[int]] = {name: [] for name in sides}
    spent = dict.fromkeys(sides, 0.0)
    for name in list(sides) * _TURNS:
        stream, ready = sides[name]
        taken, seconds = _turn(stream, ready)
        sizes[name] += taken
        spent[name] += seconds
    return {n: {"windows_per_s": len(s) / spent[n], "kB": float(np.mean(s)) / 1e3} for n, s in sizes.items()}


def _turn(stream: Iterator[int], ready: int) -> tuple[list[int], float]:
    """Bytes of the windows that come out of a stream in one turn, and its seconds."""
    for _ in itertools.islice(stream, ready):
        pass
    start, taken = time.perf_counter(), []
    while time.perf_counter() - start < _SECONDS.value / _TURNS:
        taken.append(next(stream))
    return taken, time.perf_counter() - start


def reading(clips: tuple[Clip, ...], threads: int) -> dict[str, float]:
    """Composites rebuilt per second by threads, per encoding."""
    windows = [window for clip in clips for window in extract(clip).windows]
    figures = {}
    for kind in ("compact", "lossy", "composite"):
        fields = [encoding.encode(window, kind) for window in windows]
        with ThreadPoolExecutor(threads) as pool:
            figures[kind] = _rate(lambda batch, p=pool: list(p.map(encoding.rebuild, batch)), fields)
    return figures


def _rate(read: Callable[[list], object], fields: list) -> float:
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < _SECONDS.value / 4:
        read(fields)
        done += len(fields)
    return done / (time.perf_counter() - start)


def main(argv: list[str]) -> None:
    """Measures, prints ratios."""
    del argv
    clips = avlips_clips(_AVLIPS.value).clips
    with tempfile.TemporaryDirectory() as folder:
        built = building(clips, pathlib.Path(folder))
    base = built["released"]
    for name, f in built.items():
        faster, smaller = f["windows_per_s"] / base["windows_per_s"], f["kB"] / base["kB"]
        print(f"build {name}: {f['windows_per_s']:.1f} windows/s, {f['kB']:.0f} kB per window; ", end="")
        print(f"{faster:.1f}x the windows, {smaller:.3f}x the bytes")
    cv2.setNumThreads(0)
    read = reading(clips, _WORKERS.value)
    for name, rate in read.items():
        print(f"read {name}: {rate:.0f} composites/s with {_WORKERS.value} threads")
    if _OUTPUT.value:
        pathlib.Path(_OUTPUT.value).write_text(json.dumps({"build": built, "read": read}, indent=2))


if __name__ == "__main__":
    app.run(main)
