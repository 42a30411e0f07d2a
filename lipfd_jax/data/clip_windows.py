"""Windows cut from clip records, as detection and `extract_face_windows` cut them from the video."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.data.corrupt import CorruptRecord
from lipfd_jax.faces.face_clips import CLIP_SIDE, FaceClip
from lipfd_jax.faces.framing import Square, cut_square
from lipfd_jax.preprocessing.composite import cut_mel_strip, stack_frames
from lipfd_jax.preprocessing.encoding import decode_jpeg
from lipfd_jax.preprocessing.mel import mel_columns
from lipfd_jax.preprocessing.paper_windows import find_sound_end, pick_frames
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW

ALL_FRAMES = tuple(range(FRAMES_PER_WINDOW))


@dataclass(frozen=True)
class ClipWindow:
    """A window of a clip record: some of its five frames, and its sound when asked for."""

    clip: FaceClip
    picked: tuple[int, ...]  # indices in the clip of the window's five frames
    frames: np.ndarray  # (frames asked for, side, side, 3) uint8 RGB, cut to the middle frame's square

    @property
    def start_frame(self) -> int:
        """Number of the window's first frame in the video."""
        return int(self.clip.numbers[self.picked[0]])

    @property
    def span(self) -> tuple[float, float]:
        """Begin and end of its sound, seconds on the file's clock."""
        first, last = self.picked[0], self.picked[-1]
        begin, end = float(self.clip.times[first]), float(self.clip.ends[last])
        return begin, find_sound_end(self.clip.numbers[list(self.picked)], begin, end)

    @functools.cached_property
    def mel(self) -> np.ndarray:
        """Mel strip, (128, columns, 3) uint8 RGB, of the clip's mel image."""
        return cut_mel_strip(self.clip.mel, *mel_columns(*self.span, self.clip.sound_start))


def pick_window(clip: FaceClip, start: int) -> tuple[int, ...]:
    """Returns the indices of the five frames of the window that starts with frame `start` of the clip.

    They are those that `pick_frames` takes of the whole video. Raises ValueError for a frame that is not in
    `clip.starts`.
    """
    if start not in clip.starts:
        raise ValueError(f"{clip.video}: no window can start at frame {start} of the clip, see clip.starts")
    (picked,) = pick_frames(np.append(clip.times, clip.ends[-1]), np.array([start]))
    return tuple(picked.tolist())


def cut_window(
    clip: FaceClip, start: int, numbers: Sequence[int] = ALL_FRAMES, side: int = CLIP_SIDE
) -> ClipWindow:
    """Cuts a window of a clip, decoding only the frames asked for.

    Args:
      start: index in the clip of its first frame, one of `clip.starts`.
      numbers: which of its five frames, 0 to 4; the square is that of frame 2 in any case.
      side: pixels to which larger squares are shrunk; at most the side the records were built with.

    Raises:
      CorruptRecord: a frame can't be decoded.
    """
    picked = pick_window(clip, start)
    middle = picked[len(picked) // 2]
    frames = [cut_frame(clip, picked[number], None if clip.whole else middle, side) for number in numbers]
    return ClipWindow(clip, picked, stack_frames(frames))


def cut_frame(clip: FaceClip, index: int, middle: int | None, side: int = CLIP_SIDE) -> np.ndarray:
    """Decodes a frame and cuts it to the square of frame `middle`; None keeps the whole stored frame."""
    image = decode_frame(clip, index)
    if middle is None:
        return cut_square(image, None, side)
    left, top, length = (round(value) for value in clip.squares[middle])
    scale = image.shape[1] / clip.areas[index, 2], image.shape[0] / clip.areas[index, 3]
    wanted = min(length, side)
    size = length * max(scale)
    if abs(size - wanted) <= 1:  # the area was shrunk to this size: no second resampling
        size = wanted
    corner = (left - clip.areas[index, 0]) * scale[0], (top - clip.areas[index, 1]) * scale[1]
    piece = cut_square(image, Square(*corner, size), wanted)
    return piece if len(piece) == wanted else cv2.resize(piece, (wanted, wanted))


def decode_frame(clip: FaceClip, index: int) -> np.ndarray:
    """Decodes a stored frame, (height, width, 3) uint8 RGB: its area, shrunk. Raises CorruptRecord."""
    try:
        return decode_jpeg(clip.frames[index])
    except ValueError as error:
        name = f"record of {clip.video}, part {clip.part}, frame {index}"
        raise CorruptRecord(f"{name}: {error}; build the data again") from error
