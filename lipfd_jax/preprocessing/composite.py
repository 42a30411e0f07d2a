"""A window (mel strip and five frames) and the picture made of it, which is what LipFD looks at."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.vocabulary import COMPOSITE_SHAPE, TILE


@dataclass(frozen=True)
class Window:
    """Five consecutive frames and the sound that belongs to them, before anything is enlarged."""

    index: int  # number of the window within its clip, the J of NAME_J.png
    start_frame: int  # number of the first frame shown, from 0
    fps: float  # average frames per second of the video
    mel: np.ndarray  # (128, columns, 3) uint8 RGB; row 0 is the lowest mel band
    frames: np.ndarray  # (5, height, width, 3) uint8 RGB; 500x500 where the video has more pixels than that


def make_composite(window: Window) -> np.ndarray:
    """The picture of a window, (1000, 2500, 3) uint8 RGB: mel on top, the five frames side by side below."""
    return assemble_composite(window.mel, window.frames)


def assemble_composite(
    mel: np.ndarray, frames: Sequence[np.ndarray], out: np.ndarray | None = None
) -> np.ndarray:
    """The composite (1000, 2500, 3) uint8 RGB of a mel strip and five frames (height, width, 3) uint8 RGB.

    Every part is stretched with OpenCV's bilinear resize, as in the released code. It is written to `out`
    where that is given; fresh memory costs as much as the stretching.
    """
    picture = np.empty(COMPOSITE_SHAPE, np.uint8) if out is None else out
    cv2.resize(
        mel, (COMPOSITE_SHAPE[1], TILE), dst=picture[:TILE]
    )  # writing in place saves a third of the time
    for position, frame in enumerate(frames):
        place = picture[TILE:, position * TILE : (position + 1) * TILE]
        cv2.resize(frame, (TILE, TILE), dst=place)
    return picture


def resize_to_tile(frame: np.ndarray) -> np.ndarray:
    """A frame (height, width, 3) uint8 stretched to (500, 500, 3)."""
    if frame.shape[:2] == (TILE, TILE):
        return frame
    return cv2.resize(frame, (TILE, TILE))
