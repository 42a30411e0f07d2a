"""Small clips of a drawn scene in any colours, pixel shapes, orientations and scan types, written by PyAV."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.filter import Graph

SIZE = (96, 128)  # height and width
FPS = 25


def draw_picture(time: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Draws (height, width, 3) uint8 RGB: coloured slopes, a bright and a dark disc; the bright one moves."""
    height, width = size
    down, across = np.mgrid[0:height, 0:width] / np.reshape([height, width], (2, 1, 1))
    picture = np.stack([60 + 120 * across, 60 + 100 * down, 150 - 90 * across * down], axis=2)
    picture = np.ascontiguousarray(picture.round().astype(np.uint8))
    where = int(width * (0.25 + 0.1 * np.sin(9 * time))), int(height * 0.35)
    axes = max(width // 8, 1), max(height // 8, 1)
    cv2.ellipse(picture, where, axes, 0, 0, 360, (250, 248, 245), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (width * 3 // 4, height * 3 // 4), axes, 0, 0, 360, (40, 30, 35), -1, cv2.LINE_AA)
    return picture


def draw_pictures(count: int = 8, size: tuple[int, int] = SIZE, fps: int = FPS) -> list[np.ndarray]:
    """Draws the pictures of a clip."""
    return [draw_picture(number / fps, size) for number in range(count)]


def to_frames(pictures: Sequence[np.ndarray], pixels: str = "yuv420p", **tags: int) -> list[av.VideoFrame]:
    """Returns frames of uint8 or uint16 RGB, converted by the tags `colorspace` and `color_range`."""
    frames = []
    for number, picture in enumerate(pictures):
        form = "rgb24" if picture.dtype == np.uint8 else "rgb48le"
        frame = av.VideoFrame.from_ndarray(picture, format=form)
        converted = {
            f"dst_{name}": value for name, value in tags.items() if name in ("colorspace", "color_range")
        }
        frame = frame.reformat(format=pixels, interpolation="BICUBIC", **converted)
        for name, value in tags.items():
            setattr(frame, name, value)
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        frames.append(frame)
    return frames


def interlace(pictures: Sequence[np.ndarray], top_first: bool = True) -> list[np.ndarray]:
    """Weaves pictures of twice the rate: each has every other line of two."""
    woven = []
    for early, late in zip(pictures[::2], pictures[1::2], strict=True):
        picture = early.copy()
        lines = slice(1, None, 2) if top_first else slice(0, None, 2)
        picture[lines] = late[lines]
        woven.append(picture)
    return woven


def flag_interlaced(frames: Sequence[av.VideoFrame], top_first: bool = True) -> list[av.VideoFrame]:
    """Returns the frames flagged as interlaced."""
    first, graph = frames[0], Graph()
    source = graph.add_buffer(
        width=first.width, height=first.height, format=first.format, time_base=first.time_base
    )
    field = graph.add("setfield", "tff" if top_first else "bff")
    graph.link_nodes(source, field, graph.add("buffersink")).configure()
    flagged = []
    for frame in frames:
        graph.vpush(frame)
        flagged.append(graph.vpull())
    return flagged


def write_frames(
    path: Path,
    frames: Sequence[av.VideoFrame],
    codec: str = "libx264",
    aspect: Fraction | None = None,
    **options: str,
) -> Path:
    """Encodes frames, nearly without loss by default, with their tags."""
    first = frames[0]
    if codec == "libx264":
        options = {"preset": "ultrafast", "crf": "2", "g": "4", **options}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        context = stream.codec_context
        context.time_base = Fraction(1, FPS)
        for name in ("colorspace", "color_range", "color_primaries", "color_trc"):
            setattr(context, name, int(getattr(first, name)))
        if aspect:
            context.sample_aspect_ratio = aspect
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Writes a display matrix into the track header of an mp4; in units of 1/65536."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 36
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
