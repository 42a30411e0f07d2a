"""Frames of the ten windows of five frames, by the released and by the paper's convention."""

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


def paper_starts(frame_count: int) -> list[int]:
    """Returns window starts spread evenly over the whole clip: ten, or fewer distinct ones in a short clip.

    The first window begins with the first frame and the last one ends with the last frame. Raises ValueError
    for fewer than five frames.
    """
    if frame_count < FRAMES_PER_WINDOW:
        raise ValueError(f"{frame_count} frames, expected at least {FRAMES_PER_WINDOW}")
    starts = np.rint(np.linspace(0, frame_count - FRAMES_PER_WINDOW, WINDOWS_PER_CLIP))
    return sorted({int(start) for start in starts})
