"""Stretches that were not judged, grouped by reason for the page: long lists of them are summarised."""

from collections.abc import Sequence
from dataclasses import dataclass

from lipfd_jax.detection.result import Gap
from lipfd_jax.detection.texts import format_number, format_time
from lipfd_jax.preprocessing.paper_windows import WINDOW_SECONDS

_SHORT = 1.0  # seconds; shorter stretches of a long list are only counted
_LISTED = 8  # stretches of a reason that are listed


@dataclass(frozen=True)
class GapGroup:
    """All stretches with one reason."""

    reason: str  # in words
    seconds: float  # in total
    places: tuple[str, ...]  # their times in words; only the longest ones, and a sum, where there are many


def group_gaps(gaps: Sequence[Gap]) -> tuple[GapGroup, ...]:
    """Groups stretches by reason, the reason that takes most time first."""
    by_reason: dict[str, list[Gap]] = {}
    for gap in sorted(gaps, key=lambda gap: gap.start):
        by_reason.setdefault(gap.text, []).append(gap)
    groups = [_make_group(reason, _join_touching(found)) for reason, found in by_reason.items()]
    return tuple(sorted(groups, key=lambda group: -group.seconds))


def _join_touching(gaps: Sequence[Gap]) -> list[tuple[float, float]]:
    """(start, end) of stretches in order of time, those that touch or overlap as one."""
    joined: list[tuple[float, float]] = []
    for gap in gaps:
        if joined and gap.start - joined[-1][1] <= WINDOW_SECONDS:  # nothing between them could be judged
            joined[-1] = (joined[-1][0], max(joined[-1][1], gap.end))
        else:
            joined.append((gap.start, gap.end))
    return joined


def _make_group(reason: str, places: Sequence[tuple[float, float]]) -> GapGroup:
    listed = list(places)
    if len(listed) > _LISTED:
        by_length = sorted(places, key=lambda place: place[0] - place[1])
        listed = sorted(place for place in by_length[:_LISTED] if place[1] - place[0] >= _SHORT)
    others = [end - start for start, end in places if (start, end) not in listed]
    words = [_describe_place(start, end) for start, end in listed]
    if others:
        longest = "" if listed else f", the longest {format_number(max(others), 1)} s"
        kind = "shorter stretches" if listed else "stretches"
        words.append(f"{len(others)} {kind} of {format_number(sum(others), 1)} s together{longest}")
    return GapGroup(reason, sum(end - start for start, end in places), tuple(words))


def _describe_place(start: float, end: float) -> str:
    times = dict.fromkeys((format_time(start), format_time(end)))
    return "\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}".join(times)  # a line breaks between places only
