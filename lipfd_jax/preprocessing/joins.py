"""Where the clock of a file starts anew: joined recordings, found by the times of its packets."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lipfd_jax.preprocessing.packets import PacketTimes

_LEAP = 1.0  # seconds; a longer leap ahead of all streams at once is a join too
_REORDERED, _REORDERED_SECONDS = 17, 2.0  # frames that may be stored before one that is shown earlier
_STEP = 1e-3  # seconds; smaller steps back are rounding
_OVERLAP = 0.5  # seconds; sound that steps back less, without the picture, overlaps
_RECENT = 50  # packets before a break that tell whether it steps back
_NEAR = 500  # packets of the file within which all streams of a joined recording begin
_EARLY = 100  # packets of the file by which a stream of a recording may begin before the other
_LATE = 2  # packets of a stream that belong before a place but come after it: parsers give the last ones late


@dataclass(frozen=True)
class Join:
    """A place where the clock starts anew: the number of the first packet of each stream, None for none."""

    video: int | None
    audio: int | None
    certain: bool = True  # False: one stream starts anew and the other goes on


def find_video_breaks(packets: PacketTimes, *, trust_decode_times: bool) -> list[int]:
    """Returns the numbers of the packets from which on the picture's clock is another.

    A key frame is shown after all frames stored before it, and decode times only grow; so a step back of
    either is a break, and so is one of any frame by more than frames are reordered.
    """
    shown, decoded = packets.shown, packets.decoded
    breaks: list[int] = []
    latest, decoded_before = -np.inf, -np.inf
    for k, (time, decode_time, key) in enumerate(zip(shown, decoded, packets.keys, strict=True)):
        next_few = shown[k : k + _REORDERED]
        back = time < latest - (_STEP if key else _REORDERED_SECONDS) and (
            bool(key) or np.fmax.reduce(next_few) < latest
        )
        back |= trust_decode_times and decode_time < decoded_before - _STEP
        ahead = time > latest + _LEAP > -np.inf and np.fmin.reduce(next_few) > latest + _LEAP
        if back or ahead:
            breaks.append(k)
            latest = -np.inf
        latest = latest if np.isnan(time) else max(latest, time)
        decoded_before = decoded_before if np.isnan(decode_time) else decode_time
    return breaks


def find_audio_breaks(packets: PacketTimes) -> list[int]:
    """Returns the numbers of the packets whose time steps back, or leaps far ahead."""
    breaks, before = [], -np.inf
    for k, time in enumerate(packets.shown):
        if time < before - _STEP or time > before + _LEAP > -np.inf:
            breaks.append(k)
        before = before if np.isnan(time) else time
    return breaks


def pair_breaks(
    video: PacketTimes, audio: PacketTimes, video_breaks: Sequence[int], audio_breaks: Sequence[int]
) -> list[Join]:
    """Matches the breaks of picture and sound that are near each other in the file.

    A break of the sound alone that steps back by less than half a second is an overlap, and a leap ahead of
    one stream alone a gap: they are left out. A stream without packets near before a break of the other
    begins in that recording, and shares its clock; where it goes on over the break, the join is not certain.
    A missing stream has no packets.
    """
    streams, least = (video, audio), (0.0, _OVERLAP)
    left = deque(video_breaks), deque(audio_breaks)
    joins: list[Join] = []
    begun = [0, 0]  # numbers of the first packets of the latest recording
    while left[0] or left[1]:
        certain = True
        if _are_pair(streams, left):
            numbers: list[int | None] = [left[0].popleft(), left[1].popleft()]
        else:
            side = _find_earlier(streams, left)
            k, other = left[side].popleft(), 1 - side
            if not _steps_back(streams[side], begun[side], k, least[side]):
                continue
            begins, certain = _follow(streams[other], streams[side], k)
            if begins is not None and begins in left[other]:
                left[other].remove(begins)
            numbers = [k, begins] if side == 0 else [begins, k]
        joins.append(Join(numbers[0], numbers[1], certain))
        begun = [max(one, number or 0) for one, number in zip(begun, numbers, strict=True)]
    return joins


def _find_earlier(streams: Sequence[PacketTimes], left: Sequence[Sequence[int]]) -> int:
    """Whose first break comes first in the file: 0 for the video's, 1 for the sound's."""
    places = [one.places[breaks[0]] if breaks else np.inf for one, breaks in zip(streams, left, strict=True)]
    return int(places[1] <= places[0])


def _are_pair(streams: Sequence[PacketTimes], left: Sequence[Sequence[int]]) -> bool:
    """Whether the first breaks left of both belong together: nearer to each other than to later ones."""
    if not (left[0] and left[1]):
        return False
    firsts = [int(one.places[breaks[0]]) for one, breaks in zip(streams, left, strict=True)]
    distance = abs(firsts[0] - firsts[1])
    nexts = [
        abs(int(streams[side].places[left[side][1]]) - firsts[1 - side])
        for side in (0, 1)
        if len(left[side]) > 1
    ]
    return distance <= min([_NEAR, *nexts])


def _steps_back(packets: PacketTimes, first: int, k: int, by: float) -> bool:
    """Whether a packet is before others of its recording, which begins with the packet `first`."""
    before = packets.shown[max(first, k - _RECENT) : k]
    known = before[~np.isnan(before)]
    return bool(len(known)) and bool(packets.shown[k] < known.max() - by)


def _follow(packets: PacketTimes, other: PacketTimes, k: int) -> tuple[int | None, bool]:
    """What a stream does where only the other starts anew, at its packet k, by its packets before and after.

    Returns the number of its first packet in that recording if it has none before; and whether that, or that
    it has ended, is certain. It is not where the stream goes on.
    """
    place, places = other.places[k], packets.places
    at = int(np.searchsorted(places, place))
    if at == 0 or place - places[at - 1] > _NEAR:
        return (at if at < len(places) else None), True
    began = places[0] - other.places[0]  # packets after the other stream
    if place - places[0] <= min(_EARLY, began):
        return 0, True
    goes_on = at + _LATE < len(places) and places[at + _LATE] - place <= _NEAR
    return None, not goes_on
