"""Placement of a sound file in time by the video's own track, which holds the same sound."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.audio import read_sound_pieces
from lipfd_jax.preprocessing.clock import FileClock, StreamClock
from lipfd_jax.preprocessing.containers import Damage
from lipfd_jax.preprocessing.mel import SAMPLE_RATE
from lipfd_jax.preprocessing.sound_match import TOLERANCE, SoundMatch, match_sounds

_COMPARED_SECONDS = 1800.0  # of each sound, at most


@dataclass(frozen=True)
class Placement:
    """Where a separate sound begins."""

    start: float  # time of its first sample on the video's clock, seconds
    shift: float = 0.0  # seconds after the first frame, where that was measured to be more than TOLERANCE
    fault: str = ""  # why it can't be placed: the sound is not the video's

    @property
    def warning(self) -> str:
        """Warning of a shift that was mended."""
        if not self.shift:
            return ""
        side = "after" if self.shift > 0 else "before"
        return f"wav begins {abs(self.shift):.2f} s {side} the first frame, measured by the track inside"


def place_separate_sound(video: Path, samples: np.ndarray, clock: FileClock) -> Placement:
    """Measures where a separate sound, samples (n,) at 22050 Hz, begins, by the track inside the video.

    It begins with the first frame where the two differ by no more than 0.04 s from that, and where they can't
    be compared: no readable track in the video or none of certain times, or silence, hum or too little sound
    in one of them.
    """
    first_frame = clock.start
    own = None if clock.audio is None or clock.undecided else read_beginning(video, clock.audio)
    if own is None:
        return Placement(first_frame)
    start, track = own
    found = match_sounds(track, samples[: round(_COMPARED_SECONDS * SAMPLE_RATE)])
    if fault := _describe_fault(found, start - first_frame):
        return Placement(first_frame, fault=fault)
    shift = start + found.shift - first_frame
    if found.relation != "same" or abs(shift) <= TOLERANCE:
        return Placement(first_frame)
    return Placement(first_frame + shift, shift)


def read_beginning(path: Path, clock: StreamClock | None = None) -> tuple[float, np.ndarray] | None:
    """Start and samples of a sound track's first half hour, damage ignored; None without a readable one."""
    pieces, count, start = [], 0, 0.0
    try:
        for start, piece in read_sound_pieces(path, np.inf, Damage("keep"), clock):  # noqa: B007
            pieces.append(piece)
            count += len(piece)
            if count >= _COMPARED_SECONDS * SAMPLE_RATE:
                break
    except ClipError:
        return None
    return start, np.concatenate(pieces)


def _describe_fault(found: SoundMatch, apart: float) -> str:
    """Why a sound can't be placed by the video's own track, which begins `apart` seconds after the frames."""
    if found.relation == "unrelated":
        return "another sound than the track inside the video"
    if found.relation == "changing":
        (begin, first), (end, last) = found.places[0], found.places[-1]
        return (
            f"drifts away from the track inside the video: {first + apart:+.2f} s at {begin:.0f} s, "
            f"{last + apart:+.2f} s at {end:.0f} s"
        )
    return ""
