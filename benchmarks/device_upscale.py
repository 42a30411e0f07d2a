"""Shows that the composite's enlarging can run on the device without changing a bit, and what that saves.

    python -m benchmarks.device_upscale [--batch=8]

OpenCV's bilinear resize of 8-bit images is integer arithmetic: weights of 11 bits, the horizontal pass in
32 bits, the vertical one on its upper 28. The same sums in int32 under jax.jit give the same bytes.
"""

import functools
import time

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

_BATCH = flags.DEFINE_integer("batch", 8, "Windows per call.")
_ONE = 2048  # the weight 1.0
_FRAMES = [(224, 224), (256, 256), (99, 101), (288, 360), (500, 500), (1, 1), (16, 4096), (480, 640)]
_MELS = [(128, columns) for columns in range(1, 13)]


def taps(size: int, new_size: int) -> tuple[np.ndarray, np.ndarray]:
    """For each new pixel the old one at or before it (may be -1), and the weight of the next one, of 2048."""
    position = ((np.arange(new_size) + 0.5) * (size / new_size) - 0.5).astype(np.float32)
    first = np.floor(position).astype(np.int32)
    return first, position - first


@functools.partial(jax.jit, static_argnames=("height", "width"))
def enlarge(images: jax.Array, height: int, width: int) -> jax.Array:
    """(..., h, w, 3) uint8 -> (..., height, width, 3) uint8, as cv2.resize(image, (width, height)) does."""
    rows, columns = images.shape[-3:-1]
    first, weight = taps(columns, width)
    weight = np.where((first < 0) | (first >= columns - 1), 0, weight)  # OpenCV's border rule, this pass only
    first = np.clip(first, 0, columns - 1)
    low, high = (np.rint(w * np.float32(_ONE)).astype(np.int32)[:, None] for w in (1 - weight, weight))
    wide = images.astype(jnp.int32)
    wide = wide[..., first, :] * low + wide[..., np.minimum(first + 1, columns - 1), :] * high
    first, weight = taps(rows, height)
    low, high = (np.rint(w * np.float32(_ONE)).astype(np.int32)[:, None, None] for w in (1 - weight, weight))
    above = wide[..., np.clip(first, 0, rows - 1), :, :] >> 4
    below = wide[..., np.clip(first + 1, 0, rows - 1), :, :] >> 4
    return ((((low * above) >> 16) + ((high * below) >> 16) + 2) >> 2).astype(jnp.uint8)


def mismatches() -> int:
    """Bytes that differ from OpenCV's, over frames and mel strips of many sizes."""
    random, differing = np.random.default_rng(0), 0
    for size, new in [(size, (500, 500)) for size in _FRAMES] + [(size, (500, 2500)) for size in _MELS]:
        image = random.integers(0, 256, (*size, 3), np.uint8)
        differing += int((np.asarray(enlarge(image, *new)) != cv2.resize(image, new[::-1])).sum())
    return differing


def main(argv: list[str]) -> None:
    """Compares, times, prints."""
    del argv
    print(f"{mismatches()} bytes differ from OpenCV's, over {len(_FRAMES)} frame and {len(_MELS)} mel sizes")
    random = np.random.default_rng(1)
    frames = random.integers(0, 256, (_BATCH.value, 5, 224, 224, 3), np.uint8)
    mel = random.integers(0, 256, (_BATCH.value, 128, 9, 3), np.uint8)
    jax.block_until_ready((enlarge(frames, 500, 500), enlarge(mel, 500, 2500)))
    start = time.perf_counter()
    jax.block_until_ready((enlarge(frames, 500, 500), enlarge(mel, 500, 2500)))
    device = (time.perf_counter() - start) / _BATCH.value
    start = time.perf_counter()
    for window, strip in zip(frames, mel, strict=True):
        cv2.resize(strip, (2500, 500))
        for frame in window:
            cv2.resize(frame, (500, 500))
    host = (time.perf_counter() - start) / _BATCH.value
    small = (frames.nbytes + mel.nbytes) / _BATCH.value
    print(f"per window: {small / 1e6:.2f} MB to the device instead of {1000 * 2500 * 3 / 1e6:.2f}")
    print(f"{device * 1e3:.1f} ms on {jax.devices()[0].platform}, {host * 1e3:.1f} ms with OpenCV")


if __name__ == "__main__":
    app.run(main)
