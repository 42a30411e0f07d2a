"""Which stretches of a video can be scored, face by face, and why others can't."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lipfd_jax.detection.result import Gap, make_gap
from lipfd_jax.detection.sound import SoundTrack, find_runs, find_sound_reasons
from lipfd_jax.faces.fitness import find_flaws
from lipfd_jax.faces.mouths import MEASURES
from lipfd_jax.faces.scan import Scan
from lipfd_jax.faces.tracks import FaceTrack

_SHORTEST = 0.2  # seconds; shorter gaps are not listed
_SOUND_BEYOND = 0.5  # seconds of sound after the last frame from which on they are a gap


def make_whole_frame_track(scan: Scan) -> FaceTrack:
    """One track over the whole video, for frames that are taken as they are."""
    frames = np.arange(len(scan.times))
    boxes = np.tile([0.0, 0.0, scan.width, scan.height], (len(frames), 1))
    mouth = np.full((len(frames), MEASURES), np.nan, np.float32)
    return FaceTrack(frames, boxes, np.full(len(frames), ""), True, "none", mouth)


def with_sound_reasons(tracks: Sequence[FaceTrack], scan: Scan, sound: SoundTrack | None) -> list[FaceTrack]:
    """The tracks with the reasons of the sound added to frames that are fit to be scored."""
    bounds = scan.boundaries()
    reasons = find_sound_reasons(sound, (bounds[:-1] + bounds[1:]) / 2)
    return [
        replace(track, unfit=np.where(track.unfit == "", reasons[track.frames], track.unfit))
        for track in tracks
    ]


def find_gaps(tracks: Sequence[FaceTrack], scan: Scan, sound: SoundTrack | None) -> tuple[Gap, ...]:
    """Stretches in which no face can be scored, in order, and sound beyond the last frame."""
    flaws = find_flaws(scan)
    reasons = np.where(flaws == "", "no_face", flaws)
    for track in reversed(tracks):  # the first track's reasons prevail
        free = reasons[track.frames] != ""
        reasons[track.frames[free]] = track.unfit[free]
    zero, bounds = scan.times[0], scan.boundaries() - scan.times[0]
    gaps = [
        make_gap(float(bounds[first]), float(bounds[last]), reason)
        for first, last, reason in find_runs(reasons)
        if reason and bounds[last] - bounds[first] >= _SHORTEST
    ]
    if sound is not None and sound.end > scan.end + _SOUND_BEYOND:
        gaps.append(make_gap(float(bounds[-1]), sound.end - float(zero), "no_picture"))
    return tuple(gaps)


def find_track_gaps(track: FaceTrack, scan: Scan) -> tuple[Gap, ...]:
    """Stretches of one track that can't be scored, in order."""
    bounds = scan.boundaries() - scan.times[0]
    return tuple(
        make_gap(float(bounds[track.frames[first]]), float(bounds[track.frames[last - 1] + 1]), reason)
        for first, last, reason in find_runs(track.unfit)
        if reason
    )
