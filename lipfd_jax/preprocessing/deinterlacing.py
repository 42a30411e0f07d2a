"""Deinterlaces the frames that are flagged as interlaced, as a player does: one frame out for each one in."""

from collections.abc import Iterable, Iterator
from typing import Any

import av
from av.filter import Graph

_SETTINGS = "mode=send_frame:parity=auto:deint=interlaced"
_SMALLEST = 4  # pixels of a side that the filter takes


def deinterlace_frames(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yields the frames with those flagged as interlaced deinterlaced; see `Deinterlacer`."""
    deinterlacer = Deinterlacer()
    for frame in frames:
        yield from deinterlacer.add(frame)
    yield from deinterlacer.finish()


class Deinterlacer:
    """Deinterlaces with ffmpeg's `bwdif`, which also looks at the previous and the next frame.

    Progressive frames come out untouched: at once as long as none was interlaced, later one frame late.
    Order, number, timestamps and flags stay. A frame comes out the same wherever decoding began, if that was
    at least a frame earlier.
    """

    def __init__(self) -> None:
        self._filter: _Filter | None = None  # from the first interlaced frame on
        self._previous: av.VideoFrame | None = None  # until then

    def add(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Takes the next frame; returns those that are ready, in order."""
        ready = self.finish() if self._filter and self._filter.kind != _kind(frame) else []
        if self._filter is None:
            if not frame.interlaced_frame or min(frame.width, frame.height) < _SMALLEST:
                self._previous = frame
                return [*ready, frame]
            try:
                self._filter, self._previous = _Filter(frame, self._previous), None
            except (av.FFmpegError, ValueError):  # a format that the filter can't be given
                self._previous = frame
                return [*ready, frame]
        return ready + self._filter.push(frame)

    def finish(self) -> list[av.VideoFrame]:
        """Returns the frame still in the filter; after the last frame, or before a gap."""
        ready = self._filter.push(None) if self._filter else []
        self._filter, self._previous = None, None
        return ready


class _Filter:
    """A filter graph for frames of one size and format."""

    def __init__(self, frame: av.VideoFrame, previous: av.VideoFrame | None):
        self.kind = _kind(frame)
        self._inside: list[av.VideoFrame] = []  # frames as they came
        self._graph = Graph()
        width, height, pixels, clock = self.kind
        source = self._graph.add_buffer(width=width, height=height, format=pixels, time_base=clock)
        filtered = self._graph.add("bwdif", _SETTINGS)
        self._graph.link_nodes(source, filtered, self._graph.add("buffersink")).configure()
        self._surplus = 0  # frames to come that were returned before
        if previous is not None and _kind(previous) == self.kind:
            self._surplus = 1 - len(self.push(previous))

    def push(self, frame: av.VideoFrame | None) -> list[av.VideoFrame]:
        """Takes a frame, or None at the end; returns those that are ready."""
        self._inside += [frame] if frame is not None else []
        self._graph.vpush(frame)
        ready = []
        while self._inside:
            try:
                made = self._graph.vpull()
            except (BlockingIOError, EOFError):
                break
            ready.append(_like(made, self._inside.pop(0)))
        if frame is None:
            ready += self._inside
        dropped, self._surplus = ready[: self._surplus], max(self._surplus - len(ready), 0)
        return ready[len(dropped) :]


def _like(made: av.VideoFrame, source: av.VideoFrame) -> av.VideoFrame:
    """Returns a filtered frame on the source's clock, which the filter halves; the source if progressive."""
    if not source.interlaced_frame:
        return source
    made.time_base = source.time_base
    made.pts, made.dts, made.duration = source.pts, source.dts, source.duration
    return made


def _kind(frame: av.VideoFrame) -> tuple[Any, ...]:
    return frame.width, frame.height, frame.format.name, frame.time_base
