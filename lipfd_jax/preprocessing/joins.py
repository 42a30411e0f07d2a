"""Where the clock of a file starts anew: joined recordings, by the times of its packets in the file's order.

All times are in seconds; NaN stands for a missing one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_OUTLIER = 5.0  # seconds from the times around, from which on a time counts as missing
_LEAP = 1.0  # seconds; a longer leap ahead of all streams at once is a join too
_REORDERED, _REORDERED_SECONDS = 17, 2.0  # frames that may be stored before one that is shown earlier
_STEP = 1e-3  # seconds; smaller steps back are rounding
_OVERLAP = 0.5  # seconds; sound that steps back less, without the picture, overlaps
_NEAR = 500  # packets of the file within which all streams of a joined recording begin
_EARLY = 100  # packets of the file by which a stream of a recording may begin before the other
_LATE = 2  # packets of a stream that belong before a place but come after it: parsers give the last ones late


@dataclass(frozen=True)
class PacketTimes:
    """Times of one stream's packets, in the file's order."""

    shown: np.ndarray  # (n,) float64, presentation times
    decoded: np.ndarray  # (n,) float64, decode times
    places: np.ndarray  # (n,) int64, numbers of the packets among those of all streams
    keys: np.ndarray  # (n,) bool, packets that begin with a key frame


@dataclass(frozen=True)
class Join:
    """A place where the clock starts anew: the number of the first packet of each stream, None for none."""

    video: int | None
    audio: int | None
    certain: bool = True  # False: one stream starts anew and the other goes on


def drop_outliers(times: np.ndarray) -> np.ndarray:
    """Returns times (n,) with those far from both neighbours' on either side made NaN."""
    known = np.flatnonzero(~np.isnan(times))
    if len(known) < 5:
        return times
    values = times[known]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, 2, mode="reflect"), 5)
    kept = times.copy()
    kept[known[np.abs(values - np.median(around, axis=1)) > _OUTLIER]] = np.nan
    return kept


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
    video: PacketTimes | None,
    audio: PacketTimes | None,
    video_breaks: Sequence[int],
    audio_breaks: Sequence[int],
) -> list[Join]:
    """Matches the breaks of picture and sound that are near each other in the file.

    A break of the sound alone that steps back by less than half a second is an overlap, and a leap ahead of
    one stream alone a gap: they are left out. A stream without packets near before a break of the other
    begins in that recording, and shares its clock; where it goes on over the break, the join is not certain.
    """
    joins: list[Join] = []
    v, a = list(video_breaks), list(audio_breaks)
    while v or a:
        if v and a and video is not None and audio is not None and _is_pair(video, audio, v, a):
            joins.append(Join(v.pop(0), a.pop(0)))
        elif not a or (
            v and video is not None and audio is not None and video.places[v[0]] < audio.places[a[0]]
        ):
            assert video is not None
            k = v.pop(0)
            if _steps_back(video, max((join.video or 0 for join in joins), default=0), k):
                begins, certain = _follow(audio, video, k)
                a = [other for other in a if other != begins]
                joins.append(Join(k, begins, certain))
        else:
            assert audio is not None
            k = a.pop(0)
            if _steps_back(audio, max((join.audio or 0 for join in joins), default=0), k, _OVERLAP):
                begins, certain = _follow(video, audio, k)
                v = [other for other in v if other != begins]
                joins.append(Join(begins, k, certain))
    return joins


def _is_pair(video: PacketTimes, audio: PacketTimes, v: Sequence[int], a: Sequence[int]) -> bool:
    """Whether the first breaks left of both belong together: nearer to each other than to later ones."""
    distance = abs(int(video.places[v[0]]) - int(audio.places[a[0]]))
    later = [abs(int(video.places[k]) - int(audio.places[a[0]])) for k in v[1:2]]
    later += [abs(int(audio.places[k]) - int(video.places[v[0]])) for k in a[1:2]]
    return distance <= min([_NEAR, *later])


def _steps_back(packets: PacketTimes, first: int, k: int, by: float = 0.0) -> bool:
    """Whether a packet is before others of its recording, which begins with the packet `first`."""
    before = packets.shown[first:k]
    known = before[~np.isnan(before)][-50:]
    return bool(len(known)) and bool(packets.shown[k] < known.max() - by)


def _follow(packets: PacketTimes | None, other: PacketTimes, k: int) -> tuple[int | None, bool]:
    """What a stream does where only the other starts anew, at its packet k, by its packets before and after.

    Returns the number of its first packet in that recording if it has none before; and whether that, or that
    it has ended, is certain. It is not where the stream goes on.
    """
    if packets is None:
        return None, True
    place, places = other.places[k], packets.places
    at = int(np.searchsorted(places, place))
    if at == 0 or place - places[at - 1] > _NEAR:
        return (at if at < len(places) else None), True
    began = places[0] - other.places[0]  # packets after the other stream
    if place - places[0] <= min(_EARLY, began):
        return 0, True
    goes_on = at + _LATE < len(places) and places[at + _LATE] - place <= _NEAR
    return None, not goes_on
