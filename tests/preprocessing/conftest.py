"""Small videos and sounds, generated on demand: numbered frames, any timestamps, any sound."""

import struct
import types
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

BITS = 10


def numbered_frame(number: int, height: int, width: int) -> np.ndarray:
    """Returns a frame (height, width, 3) uint8 that encodes its number as ten dark or light bars."""
    bits = (number >> (np.arange(width) * BITS // width)) & 1
    return np.broadcast_to((bits * 200 + 30).astype(np.uint8)[None, :, None], (height, width, 3)).copy()


def number_of(frame: np.ndarray) -> int:
    """Returns the number that a frame encodes."""
    bars = np.array_split(frame.mean(axis=(0, 2)), BITS)
    return sum(1 << position for position, bar in enumerate(bars) if bar.mean() > 130)


def write_video(
    path: Path,
    frames: int = 40,
    *,
    size: tuple[int, int] = (48, 80),
    fps: int = 25,
    times: list[float] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    sound: np.ndarray | None = None,
    rate: int = 16000,
    sound_start: float = 0.0,
    faststart: bool = False,
) -> Path:
    """Writes a video of numbered frames, shown at `times` (seconds) if given, with `sound` as PCM track if
    given.
    """
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, fps)
        if codec == "libx264":
            stream.options = {"g": "12", "bf": "2", "preset": "ultrafast", "x264-params": "b-adapt=0"}
        track = container.add_stream("pcm_s16le", rate=rate, layout="mono") if sound is not None else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number, *size), format="rgb24")
            frame.pts = round(times[number] * 1000) if times else number
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode())
        if track is not None:
            pcm = np.int16(np.clip(sound, -1, 1) * 32767)[None]
            for first in range(0, pcm.shape[1], 1600):
                piece = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(pcm[:, first : first + 1600]), layout="mono"
                )
                piece.sample_rate = rate
                piece.pts = first + round(sound_start * rate)
                piece.time_base = Fraction(1, rate)
                container.mux(track.encode(piece))
            container.mux(track.encode())
    return path


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000, subtype: str = "PCM_16") -> Path:
    """Writes a wav of samples (n,) or (n, channels) between -1 and 1."""
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def chirp(seconds: float, rate: int = 16000) -> np.ndarray:
    """A tone that rises with time, so that every moment sounds different."""
    time = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * (300 * time + 150 * time**2))


def turn(path: Path) -> Path:
    """Marks an mp4 as rotated by 90 degrees, as phones do: by the matrix in its track header."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    height = struct.unpack(">I", data[start + 40 : start + 44])[0]
    data[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, height, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="session")
def studio() -> types.SimpleNamespace:
    """The functions of this file."""
    return types.SimpleNamespace(
        numbered_frame=numbered_frame,
        number_of=number_of,
        write_video=write_video,
        write_wav=write_wav,
        chirp=chirp,
        turn=turn,
    )
