"""Writes dummy_data: clips of a few kilobytes in the AVLips layout.

python -m datasets_tfds.avlips.make_dummy_data
"""

import pathlib
import wave

import av
import numpy as np

FOLDER = pathlib.Path(__file__).parent / "dummy_data"
NAMES = ("dummy0", "dummy1", "dummy5", "dummy15")  # the default salt puts them into all three splits
FPS = 25
RATE = 8000


def write_video(
    path: pathlib.Path, frames: np.ndarray, *, codec: str = "libx264", pix_fmt: str = "yuv420p"
) -> None:
    """Writes frames (n, height, width, 3) uint8 RGB without sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_wav(path: pathlib.Path, samples: np.ndarray, *, rate: int = RATE) -> None:
    """Writes samples (n,) in -1..1 as 16-bit mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def moving_bars(seed: int, *, count: int, size: int = 32) -> np.ndarray:
    """Returns frames (count, size, size, 3) uint8 RGB of moving coloured bars."""
    rng = np.random.default_rng(seed)
    bar = np.repeat(rng.integers(0, 256, (1, 8, 3), dtype=np.uint8), size // 8, axis=1)
    frame = np.repeat(bar, size, axis=0)
    return np.stack([np.roll(frame, shift, axis=1) for shift in range(count)])


def chirp(seed: int, *, seconds: float, rate: int = RATE) -> np.ndarray:
    """Returns samples (n,) in -1..1 of a rising tone with a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * (200 + seed * 50 + 300 * time) * time) + 0.01 * rng.normal(size=len(time))


def write_clips(folder: pathlib.Path, names: tuple[str, ...], *, frames: int = 12, size: int = 32) -> None:
    """Writes a real and a fake clip with wavs for each name, in the AVLips layout."""
    for seed, name in enumerate(names):
        for label, kind in enumerate(("0_real", "1_fake")):
            clip = moving_bars(seed, count=frames, size=size)
            clip[:, size * 3 // 4 :] //= 1 + label  # the fake differs in the lower quarter
            write_video(folder / kind / f"{name}.mp4", clip)
            write_wav(folder / "wav" / kind / f"{name}.wav", chirp(seed + label, seconds=frames / FPS))


if __name__ == "__main__":
    write_clips(FOLDER, NAMES)
