"""Which frames of a video the ten windows of five frames take, in the released way and in the right one."""

import numpy as np

from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, WINDOWS_PER_CLIP


def released_starts(frame_count: int) -> list[int]:
    """The released code's nominal window starts, sorted: ten numbers, wrapped modulo 256 as in its uint8.

    They run from 0 to `frame_count - 6` (so the last frame is never used), pass 255 in clips of more than
    261 frames, lie below zero in clips of fewer than 6, and repeat in clips of fewer than 15.
    """
    starts = np.floor(np.linspace(0, frame_count - FRAMES_PER_WINDOW - 1, WINDOWS_PER_CLIP))
    return sorted(int(start) % 256 for start in starts)


def released_frames(starts: list[int]) -> list[int]:
    """The frames the released code keeps for these starts: each once and in order, whatever overlaps.

    It cuts this list every five entries, so where windows overlap the pictures hold other windows' frames.
    """
    return sorted({start + offset for start in starts for offset in range(FRAMES_PER_WINDOW)})


def paper_starts(frame_count: int) -> list[int]:
    """Window starts spread evenly over the whole clip: ten, or as many as are distinct in a short clip.

    The first window begins with the first frame and the last one ends with the last frame. Raises ValueError
    below five frames.
    """
    if frame_count < FRAMES_PER_WINDOW:
        raise ValueError(f"{frame_count} frames, expected at least {FRAMES_PER_WINDOW}")
    starts = np.rint(np.linspace(0, frame_count - FRAMES_PER_WINDOW, WINDOWS_PER_CLIP))
    return sorted({int(start) for start in starts})
