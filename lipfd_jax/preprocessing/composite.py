"""A window (mel strip and five frames) and its composite, the input of LipFD."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.vocabulary import COMPOSITE_SHAPE, TILE, colour_table


@dataclass(frozen=True)
class Window:
    """Five frames and the mel strip of their time, before resizing."""

    index: int  # number of the window within its clip, the J of NAME_J.png
    start_frame: int  # number of the first frame shown, from 0
    fps: float  # average frames per second of the video
    mel: np.ndarray  # (128, columns, 3) uint8 RGB; row 0 is the lowest mel band
    frames: np.ndarray  # (5, height, width, 3) uint8 RGB; 500x500 if the video has more pixels


def make_composite(window: Window) -> np.ndarray:
    """Returns the composite of a window, (1000, 2500, 3) uint8 RGB: mel on top, five frames in a row
    below.
    """
    return assemble_composite(window.mel, list(window.frames))


def assemble_composite(
    mel: np.ndarray, frames: Sequence[np.ndarray] | np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """Returns the composite (1000, 2500, 3) of a mel strip and five frames (height, width, 3), all uint8 RGB.

    Parts are resized with OpenCV's bilinear resize, as in the released code. `out`: array to write to; new
    memory takes as long as the resizing.
    """
    image = np.empty(COMPOSITE_SHAPE, np.uint8) if out is None else out
    # Writing in place saves a third of the time.
    cv2.resize(mel, (COMPOSITE_SHAPE[1], TILE), dst=image[:TILE])
    for position, frame in enumerate(frames):
        place = image[TILE:, position * TILE : (position + 1) * TILE]
        cv2.resize(frame, (TILE, TILE), dst=place)
    return image


def resize_to_tile(frame: np.ndarray) -> np.ndarray:
    """Resizes a frame (height, width, 3) uint8 to (500, 500, 3)."""
    if frame.shape[:2] == (TILE, TILE):
        return frame
    return cv2.resize(frame, (TILE, TILE))


def cut_mel_strip(mel: np.ndarray, first: int, last: int) -> np.ndarray:
    """Returns columns first..last-1 of a mel image (128, columns, 3); minimum colour beyond its ends."""
    strip = np.empty((len(mel), last - first, 3), np.uint8)
    strip[:] = colour_table()[0]
    heard = mel[:, max(first, 0) : max(last, 0)]
    offset = max(-first, 0)
    strip[:, offset : offset + heard.shape[1]] = heard
    return strip


def stack_frames(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks frames (height, width, 3); resized to 500x500 in the rare video that changes its size."""
    same = len({frame.shape for frame in frames}) == 1
    return np.stack(frames if same else [resize_to_tile(frame) for frame in frames])
