"""Checks on a few clips, before work on all begins, whether their frames are cropped to a face."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from lipfd_jax.faces.face_search import default_finder
from lipfd_jax.faces.finders import Finder, MissingFinder
from lipfd_jax.listing.clips import Clip
from lipfd_jax.preprocessing.clip_task import attempt_task
from lipfd_jax.preprocessing.containers import (
    Damage,
    decode_packet,
    demux_packets,
    open_container,
    promised_seconds,
)
from lipfd_jax.preprocessing.pictures import to_rgb
from lipfd_jax.preprocessing.video import find_video_stream
from lipfd_jax.vocabulary import LABELS

LOOSE = 0.2  # share of the frame that a face's box fills, below which a clip counts as not cropped
_USUAL = "a third to half"  # of the frame, in AVLips; measured 0.35 to 0.45
_CLIPS = 12  # looked at
_MOMENTS = (0.25, 0.75)  # of a clip's length
_SMALLEST = 80  # pixels; the finders find nothing in smaller frames
_PACKETS = 500  # read for one frame at most
_WARNED_SHARE = 0.25  # of the clips looked at


@dataclass(frozen=True)
class _Seen:
    """What a few frames of a clip show."""

    share: float | None  # of the frame that its largest face fills; None where no face was found


def check_framing(clips: Sequence[Clip], remedy: str, find: Finder | None = None) -> tuple[str, ...]:
    """Returns a note where clips show whole scenes rather than face crops; none where all is well.

    Two frames of up to twelve clips, spread over both classes, are searched for faces, which takes a second
    or two. Clips that can't be read are left to whatever reads them all.

    Args:
      remedy: names what crops faces.
      find: the face finder; by default the installed one, and a note where there is none.

    Raises:
      OSError, MemoryError, MachineError: the disk fails, or memory is short.
    """
    try:
        find = find or default_finder()
    except MissingFinder:
        return (
            "the framing of the clips was not checked, as no face detector is installed: pip install "
            "'lipfd-jax[faces]'",
        )
    chosen = _spread_over_classes(clips)
    outcomes = [attempt_task(lambda clip: _look_at(clip, find), clip) for clip in chosen]
    seen = {o.clip.video: o.result for o in outcomes if o.result is not None}
    shares = {video: one.share for video, one in seen.items() if one.share is not None}
    loose = [video for video, share in shares.items() if share < LOOSE]
    faceless = [video for video in seen if video not in shares]
    notes = []
    if loose and len(loose) >= _WARNED_SHARE * len(seen):
        middle = float(np.median([shares[video] for video in loose]))
        notes.append(
            f"faces are small in {len(loose)} of {len(seen)} clips looked at, such as {loose[0]}: they fill "
            f"{100 * middle:.0f} % of the picture, where clips cropped to a face have {_USUAL}, and the "
            f"network would see little of the mouth; {remedy}"
        )
    if faceless and len(faceless) >= _WARNED_SHARE * len(seen):
        notes.append(
            f"no face was found in {len(faceless)} of {len(seen)} clips looked at, such as {faceless[0]}; "
            "look at them"
        )
    return tuple(notes)


def _spread_over_classes(clips: Sequence[Clip]) -> list[Clip]:
    """Returns up to twelve clips, evenly spaced over those of each class."""
    chosen = []
    for label in range(len(LABELS)):
        own = [clip for clip in clips if clip.label == label]
        count = min(len(own), _CLIPS // len(LABELS))
        chosen += [own[round(place)] for place in np.linspace(0, len(own) - 1, count)] if count else []
    return chosen


def _look_at(clip: Clip, find: Finder) -> _Seen | None:
    """Returns what two frames of a clip show; None where they are too few or too small to tell."""
    found = []
    for frame in _read_frames(clip.path):
        height, width = frame.shape[:2]
        if min(height, width) < _SMALLEST:
            return None
        areas = [(face.right - face.left) * (face.bottom - face.top) for face in find(frame)]
        found.append(max(areas) / (height * width) if areas else None)
    shares = [share for share in found if share is not None]
    return _Seen(max(shares, default=None)) if found else None


def _read_frames(path: Path) -> list[np.ndarray]:
    """Returns the key frames before two moments of a video, (height, width, 3) uint8 RGB."""
    frames, reformatter = [], av.video.reformatter.VideoReformatter()
    with open_container(path) as container:
        stream = find_video_stream(path, container)
        stream.thread_type = "NONE"  # one frame is wanted
        seconds, damage = promised_seconds(container), Damage("keep")
        for moment in _MOMENTS if seconds else (0.0,):
            if moment:
                container.seek((container.start_time or 0) + int(moment * seconds * av.time_base))
            packets = (
                packet
                for _, packet in zip(range(_PACKETS), demux_packets(path, container, stream), strict=False)
            )
            decoded = (frame for packet in packets for frame in decode_packet(path, packet, damage))
            if (frame := next(decoded, None)) is not None:
                frames.append(to_rgb(frame, reformatter))
    return frames
