"""Bytes and time of ways to store the five frames of a window, on real clips, one thread.

    python -m benchmarks.encodings --avlips=DIR [--windows_per_clip=3] [--output=encodings.json]

Times are CPU milliseconds per window, which a busy machine disturbs little. Errors are of the decoded
frames, in 1/255. The last lines are the encodings of records as the project writes and rebuilds them.
"""

import io
import json
import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from absl import app, flags
from PIL import Image

from lipfd_jax.listing.avlips import list_avlips
from lipfd_jax.preprocessing import encoding
from lipfd_jax.preprocessing.composite import Window, make_composite
from lipfd_jax.preprocessing.extraction import extract_windows

_AVLIPS = flags.DEFINE_string("avlips", None, "Clips in the AVLips layout.", required=True)
_WINDOWS = flags.DEFINE_integer("windows_per_clip", 3, "Windows taken of each clip.")
_OUTPUT = flags.DEFINE_string("output", None, "Where to write the figures as JSON.")

Coder = Callable[[np.ndarray], bytes]  # (height, width, 3) uint8 RGB -> an encoded image


class Candidate(NamedTuple):
    """A way to store five frames."""

    coder: Coder
    axis: int = 1  # along which the frames are laid side by side
    delta: bool = False  # frames 2 to 5 as differences to the one before, modulo 256


def opencv(suffix: str, *options: int) -> Coder:
    """An encoder of OpenCV."""

    def code(image: np.ndarray) -> bytes:
        return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()

    return code


def pillow_webp(method: int, quality: int, *, lossless: bool = True) -> Coder:
    """Pillow's WebP encoder."""

    def code(image: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "WEBP", lossless=lossless, method=method, quality=quality)
        return file.getvalue()

    return code


_LEVEL, _STRATEGY = cv2.IMWRITE_PNG_COMPRESSION, cv2.IMWRITE_PNG_STRATEGY
_FULL = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
_JPEG = cv2.IMWRITE_JPEG_QUALITY
CANDIDATES = {
    "PNG level 1": Candidate(opencv(".png", _LEVEL, 1)),
    "PNG level 1, one above the other": Candidate(opencv(".png", _LEVEL, 1), axis=0),
    "PNG level 1, run lengths": Candidate(opencv(".png", _LEVEL, 1, _STRATEGY, 3)),
    "PNG level 3": Candidate(opencv(".png", _LEVEL, 3)),
    "PNG level 3, differences": Candidate(opencv(".png", _LEVEL, 3), delta=True),
    "PNG level 6": Candidate(opencv(".png", _LEVEL, 6)),
    "WebP lossless, OpenCV": Candidate(opencv(".webp", cv2.IMWRITE_WEBP_QUALITY, 101)),
    "WebP lossless, effort 0": Candidate(pillow_webp(0, 0)),
    "WebP lossless, effort 0, one above the other": Candidate(pillow_webp(0, 0), axis=0),
    "WebP lossless, effort 0, differences": Candidate(pillow_webp(0, 0), delta=True),
    "WebP lossless, effort 1": Candidate(pillow_webp(1, 0)),
    "WebP lossless, effort 2": Candidate(pillow_webp(2, 0)),
    "WebP lossless, effort 3": Candidate(pillow_webp(3, 75)),
    "WebP lossless, effort 4": Candidate(pillow_webp(4, 75)),
    "WebP lossless, effort 4, differences": Candidate(pillow_webp(4, 75), delta=True),
    "JPEG 2000 lossless": Candidate(opencv(".jp2", cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)),
    "JPEG 90, full chroma": Candidate(opencv(".jpg", _JPEG, 90, *_FULL)),
    "JPEG 95": Candidate(opencv(".jpg", _JPEG, 95)),
    "JPEG 95, full chroma": Candidate(opencv(".jpg", _JPEG, 95, *_FULL)),
    "JPEG 98, full chroma": Candidate(opencv(".jpg", _JPEG, 98, *_FULL)),
    "WebP 90, effort 0": Candidate(pillow_webp(0, 90, lossless=False)),
    "WebP 95, effort 0": Candidate(pillow_webp(0, 95, lossless=False)),
    "WebP 95, effort 4": Candidate(pillow_webp(4, 95, lossless=False)),
    "AVIF 95, speed 10": Candidate(opencv(".avif", cv2.IMWRITE_AVIF_QUALITY, 95, cv2.IMWRITE_AVIF_SPEED, 10)),
}


def store(candidate: Candidate, frames: np.ndarray) -> bytes:
    """Five frames (5, height, width, 3) as one encoded image."""
    if candidate.delta:
        frames = np.concatenate([frames[:1], frames[1:] - frames[:-1]])
    return candidate.coder(np.concatenate(list(frames), axis=candidate.axis))


def load(candidate: Candidate, data: bytes) -> np.ndarray:
    """The frames of `store`."""
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    frames = np.stack(np.split(image, 5, axis=candidate.axis))
    return np.cumsum(frames, axis=0, dtype=np.uint8) if candidate.delta else frames


def measure(write: Callable, read: Callable, wanted: Callable, windows: list[Window]) -> dict[str, float]:
    """Mean bytes, milliseconds and errors over windows of read(write(window)) against wanted(window)."""
    size, into, out, error, worst = 0, 0.0, 0.0, 0.0, 0
    for window in windows:
        start = time.process_time()
        data = write(window)
        middle = time.process_time()
        result = read(data)
        out += time.process_time() - middle
        into += middle - start
        size += sum(map(len, data.values())) if isinstance(data, dict) else len(data)
        difference = cv2.absdiff(result.reshape(-1), wanted(window).reshape(-1))
        error, worst = error + float(difference.mean()), max(worst, int(difference.max()))
    n = len(windows)
    return {
        "kB": size / n / 1e3,
        "encode_ms": into / n * 1e3,
        "decode_ms": out / n * 1e3,
        "mean_error": error / n,
        "largest_error": worst,
    }


def candidates(windows: list[Window]) -> dict[str, dict[str, float]]:
    """Figures of every way to store the frames that this build of OpenCV knows."""
    found = {}
    for name, candidate in CANDIDATES.items():
        try:
            found[name] = measure(
                lambda window, c=candidate: store(c, window.frames),
                lambda data, c=candidate: load(c, data),
                lambda window: window.frames,
                windows,
            )
        except cv2.error as error:
            print(f"{name}: not in this OpenCV ({error.err})")
    return found


def records(windows: list[Window]) -> dict[str, dict[str, float]]:
    """Figures of the record encodings: from window to bytes, from bytes to the composite."""
    kinds = {"compact": 0, "compact, effort 4": 4, "lossy": 0, "composite": 0}
    return {
        f"record: {name}": measure(
            lambda window, n=name, e=effort: encoding.encode_window(window, n.split(",")[0], effort=e),
            encoding.rebuild_composite,
            make_composite,
            windows,
        )
        for name, effort in kinds.items()
    }


def main(argv: list[str]) -> None:
    """Measures and prints a Markdown table."""
    del argv
    cv2.setNumThreads(0)
    step = max(10 // _WINDOWS.value, 1)
    clips = list_avlips(_AVLIPS.value).clips
    windows = [
        window for clip in clips for window in extract_windows(clip).cut_windows[::step][: _WINDOWS.value]
    ]
    print(f"{len(windows)} windows, frames {windows[0].frames.shape[1:]}; OpenCV {cv2.__version__}\n")
    print("| coder | kB | in, ms | out, ms | mean error | largest |\n|---|---|---|---|---|---|")
    figures = candidates(windows) | records(windows)
    for name, f in figures.items():
        row = f"{f['kB']:.1f} | {f['encode_ms']:.1f} | {f['decode_ms']:.1f} | {f['mean_error']:.2f}"
        print(f"| {name} | {row} | {f['largest_error']} |")
    if _OUTPUT.value:
        pathlib.Path(_OUTPUT.value).write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    app.run(main)
