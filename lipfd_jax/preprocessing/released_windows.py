"""Frames of the ten windows of five frames as the released code takes them, faults included."""

import numpy as np

from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, WINDOWS_PER_CLIP


def released_starts(frame_count: int) -> list[int]:
    """Returns the released code's nominal window starts, sorted: ten numbers modulo 256, as in its uint8.

    They range from 0 to `frame_count - 6` (so the last frame is never used), pass 255 in clips of more than
    261 frames, are below zero in clips of fewer than 6, and repeat in clips of fewer than 15.
    """
    starts = np.floor(np.linspace(0, frame_count - FRAMES_PER_WINDOW - 1, WINDOWS_PER_CLIP))
    return sorted(int(start) % 256 for start in starts)


def released_frames(starts: list[int]) -> list[int]:
    """Returns the frames the released code keeps for these starts: each once, in order, despite overlaps.

    It cuts this list every five entries, so overlapping windows show frames of other windows.
    """
    return sorted({start + offset for start in starts for offset in range(FRAMES_PER_WINDOW)})
