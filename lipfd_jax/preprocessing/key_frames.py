"""Key frames: decoding begins at one, so a video that does not begin with one lacks its first frames."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from lipfd_jax.preprocessing.containers import Damage, demux_packets, open_container

NOT_A_KEY = "begins without a key frame"
NOTICED_SECONDS = 0.2  # missing at the beginning, from which on they are said


@dataclass(frozen=True)
class FirstKey:
    """Where the first key frame of a video is."""

    packets: int  # before it
    seconds: float  # from the first packet to it
    found: bool  # whether there is one


def find_first_key(path: Path, index: int) -> FirstKey:
    """Reads a file's stream of this index up to its first key frame, without decoding. Raises ClipError."""
    with open_container(path) as container:
        times, before = [], 0
        for packet in demux_packets(path, container, container.streams[index]):
            if not packet.size:
                continue
            time = packet.pts if packet.pts is not None else packet.dts
            times += [] if time is None else [float(time * packet.time_base)]
            if packet.is_keyframe:
                return FirstKey(before, times[-1] - min(times) if times else 0.0, True)
            before += 1
    return FirstKey(before, max(times) - min(times) if times else 0.0, False)


def explain_no_frames(path: Path, index: int, otherwise: str) -> str:
    """Returns why no frame of a video stream can be decoded: it has no key frame, or `otherwise`."""
    first = find_first_key(path, index)
    if first.found or not first.packets:
        return otherwise
    return (
        "no key frame in it, so that none of its frames can be decoded; cut it from the recording anew, and "
        "encode it instead of copying its packets"
    )


def describe_missing_start(path: Path, index: int) -> str:
    """Returns that a stream's first frames can't be decoded; "" where it begins with a key frame."""
    first = find_first_key(path, index)
    if not first.found or not first.packets:
        return ""
    return word_missing_start(first.seconds)


def word_missing_start(seconds: float) -> str:
    """Returns the warning of records whose video lacks its first seconds."""
    return f"{NOT_A_KEY}: its first {seconds:.1f} s can't be decoded and are not used"


class KeyFrameGate:
    """Records frames before the first key frame as damage: some decoders show them without their basis."""

    def __init__(self, path: Path, index: int, damage: Damage):
        self._path, self._index, self._damage = path, index, damage
        self.refused = 0  # frames before the first key frame

    def watch(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Yields the frames of a video from its beginning, all of them.

        Raises ClipError where damaged clips are refused.
        """
        frames = iter(frames)
        for frame in frames:
            # An edit list may hide the key frame at the beginning.
            if frame.key_frame or (not self.refused and not find_first_key(self._path, self._index).packets):
                yield frame
                break
            self.refused += 1
            self._damage.record(self._path, NOT_A_KEY, frame.time)
            yield frame
        yield from frames
