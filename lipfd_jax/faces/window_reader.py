"""Reads the frames of selected windows, cropped to the face; seeks where that is shorter than decoding."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from lipfd_jax.faces.framing import CROP_SIDE, Square, cut_square
from lipfd_jax.faces.scan import Scan, set_threading
from lipfd_jax.preprocessing.composite import stack_frames
from lipfd_jax.preprocessing.containers import Damage, decode_frames, open_container
from lipfd_jax.preprocessing.frame_cache import FrameCache
from lipfd_jax.preprocessing.pictures import Pictures, to_rgb
from lipfd_jax.preprocessing.video import (
    FramePerturbation,
    check_frame_size,
    find_video_stream,
    shrink_to_tile,
)
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, TILE

_SEEK_SECONDS = 3.0  # from this distance to the next window on it seeks instead of decoding
# Seconds before the wanted frame to seek to, in turn; deinterlacing needs the frame before, too.
_EARLIER = (0.1, 10.0, 60.0)
_MARGIN = 0.001  # seconds within which a frame's time equals the one of the first pass


@dataclass(frozen=True)
class WindowRequest:
    """A window to read."""

    track: int  # index of the face
    frames: tuple[int, ...]  # numbers of its five frames, ascending; a slow video's may occur twice
    square: Square | None  # crop of its frames; None for whole frames
    side: int = CROP_SIDE  # pixels, to which larger crops are shrunk; TILE: whole frames, only to a tile

    @property
    def start(self) -> int:
        """Number of the first frame."""
        return self.frames[0]


def read_windows(
    path: Path, scan: Scan, wanted: Sequence[WindowRequest], perturbation: FramePerturbation | None = None
) -> Iterator[tuple[WindowRequest, np.ndarray]]:
    """Yields the frames (5, height, width, 3) uint8 RGB of each window, in order of time.

    Before the crop, `perturbation` may replace a frame by another of the same size. A window whose frames are
    not found again (in a file that decodes differently from the middle) is skipped.
    """
    todo = sorted(wanted, key=lambda window: window.start)
    begun: list[tuple[WindowRequest, list[np.ndarray]]] = []
    with _open_reader(path, scan) as reader:
        while todo or begun:
            frame = reader.read_from(reader.number + 1 if begun else todo[0].start)
            if frame is None:
                return
            begun += [(window, []) for window in todo if window.start == reader.number]
            todo = [window for window in todo if window.start > reader.number]
            if any(reader.number in window.frames for window, _ in begun):
                image = to_rgb(frame, reader.reformatter)
                image = image if perturbation is None else perturbation(image)
                for window, pieces in begun:
                    pieces += [cut_for_window(image, window)] * window.frames.count(reader.number)
                yield from (
                    (w, stack_frames(pieces)) for w, pieces in begun if len(pieces) == FRAMES_PER_WINDOW
                )
            begun = [(window, pieces) for window, pieces in begun if window.frames[-1] > reader.number]


def read_cached_windows(
    cache: FrameCache,
    path: Path,
    scan: Scan,
    wanted: Sequence[WindowRequest],
    perturbation: FramePerturbation | None = None,
) -> Iterator[tuple[WindowRequest, np.ndarray]]:
    """As `read_windows`, from frames cached in memory if they fit."""
    todo = sorted(wanted, key=lambda window: window.start)
    numbers = {number for window in todo for number in window.frames}
    whole = cache.read_whole(path, numbers, Damage("keep"), scan.clock.video)
    if whole is None:
        yield from read_windows(path, scan, wanted, perturbation)
        return
    frames = {n: p if perturbation is None else perturbation(p) for n, p in sorted(whole.frames.items())}
    for window in todo:
        shown = [n for n in window.frames if n in frames]
        if len(shown) == FRAMES_PER_WINDOW:
            yield window, stack_frames([cut_for_window(frames[n], window) for n in shown])


def read_pictures(path: Path, scan: Scan, numbers: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the frames (height, width, 3) uint8 RGB of ascending numbers, each with its number.

    Frames that are not found again are left out.
    """
    with _open_reader(path, scan) as reader:
        for number in numbers:
            frame = reader.read_from(number)
            if frame is None:
                return
            if reader.number == number:
                yield number, to_rgb(frame, reader.reformatter)


def cut_for_window(frame: np.ndarray, window: WindowRequest) -> np.ndarray:
    """Returns a window's part of a whole frame."""
    if window.square is None and window.side == TILE:
        return shrink_to_tile(frame)
    return cut_square(frame, window.square, window.side)


@contextmanager
def _open_reader(path: Path, scan: Scan) -> Iterator["_MemoryReader | _SeekingReader"]:
    if scan.cached_frames:
        yield _MemoryReader(scan.cached_frames)
        return
    with open_container(path) as container:
        yield _SeekingReader(path, container, scan)


class _MemoryReader:
    """Returns frames kept by the scan."""

    def __init__(self, frames: Sequence[av.VideoFrame]):
        self.frames = frames
        self.number = -1  # number of the last frame returned
        self.reformatter = av.video.reformatter.VideoReformatter()

    def read_from(self, number: int) -> av.VideoFrame | None:
        """Returns the frame of this number; None at the end."""
        self.number = number
        return self.frames[number] if number < len(self.frames) else None


class _SeekingReader:
    """Decodes forward from the current position, or from a point before the wanted frame."""

    def __init__(self, path: Path, container: av.container.InputContainer, scan: Scan):
        self.path, self.container, self.scan = path, container, scan
        self.stream = find_video_stream(path, container, scan.clock.video)
        set_threading(self.stream)
        self.number = -1  # number of the last frame returned
        self.reformatter = av.video.reformatter.VideoReformatter()
        self._pictures = Pictures(path, self.stream)
        self._frames = self._decode_on()
        self._sought = False
        self._seekable = scan.seekable and bool((np.diff(scan.times) > 2 * _MARGIN).all())

    def read_from(self, number: int) -> av.VideoFrame | None:
        """Returns the next frame from `number` on; None at the end."""
        times = self.scan.times
        far = times[min(number, len(times) - 1)] - times[max(self.number, 0)] >= _SEEK_SECONDS
        if self._seekable and far and (frame := self._seek_frame(number)):
            return frame
        return self._decode_to(number)

    def _seek_frame(self, number: int) -> av.VideoFrame | None:
        """Returns the frame if seeking finds it; in some files seeking ends after the requested time."""
        for earlier in _EARLIER:
            time = max(self.scan.times[number] - earlier, self.scan.times[0])
            self.container.seek(int(time / self.stream.time_base), stream=self.stream)
            self._frames, self._sought = self._decode_on(), True
            self.number = -1
            frame = self._decode_to(number)
            if self.number == number:
                return frame
        self.container.seek(0)
        self._frames, self._sought, self.number, self._seekable = self._decode_on(), False, -1, False
        return None

    def _decode_on(self) -> Iterator[av.VideoFrame]:
        """Decodes from here on. Damage is ignored: the scan has already refused or recorded it."""
        decoded = decode_frames(self.path, self.container, self.stream, Damage("keep"))
        return self._pictures.prepare(decoded)

    def _decode_to(self, number: int) -> av.VideoFrame | None:
        for frame in self._frames:
            check_frame_size(self.path, frame)
            found = self._find_number(frame)
            if found is not None:
                self.number = found
                if found >= number:
                    return frame
        return None

    def _find_number(self, frame: av.VideoFrame) -> int | None:
        if not self._sought:
            return self.number + 1
        if frame.time is None:
            return None
        times = self.scan.times
        after = int(np.searchsorted(times, frame.time - _MARGIN))
        return after if after < len(times) and abs(times[after] - frame.time) <= _MARGIN else None
