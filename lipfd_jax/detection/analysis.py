"""Analysis of a video before any window is scored: frames, faces, sound, and which face speaks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from lipfd_jax.detection import coverage
from lipfd_jax.detection.lip_sync import LipSync, measure_lip_sync
from lipfd_jax.detection.offset_fit import OffsetFit, fit_offset
from lipfd_jax.detection.sound import SoundTrack, read_sound_track
from lipfd_jax.detection.speaking import with_speaking_reasons
from lipfd_jax.faces.finders import Finder
from lipfd_jax.faces.fitness import find_fit_starts, find_flaws, with_flaws
from lipfd_jax.faces.scan import MAX_HOURS, Scan, scan_video
from lipfd_jax.faces.tracks import FaceTrack, follow_faces
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.clock import FileClock
from lipfd_jax.preprocessing.clock_reading import read_clock
from lipfd_jax.preprocessing.containers import Damage
from lipfd_jax.preprocessing.separate_sound import place_separate_sound, read_beginning
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, AudioChoice, TrackRequest
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW

# Called with a part ("looking", "scoring"), how much of it is done, and its total (0: unknown), in seconds of
# video or in windows.
Progress = Callable[[str, float, float], None]


def ignore_progress(part: str, done: float, total: float) -> None:
    """Progress that is not shown."""


@dataclass
class PartTimer:
    """Adds up the time that each part of the work takes."""

    seconds: dict[str, float] = field(default_factory=dict)  # time taken by each stage, in order of start

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Adds the time spent inside to a part."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - begin


@dataclass(frozen=True)
class VideoAnalysis:
    """All that is known of a video before any window is scored."""

    video: Path
    scan: Scan
    sound: SoundTrack | None  # None: the video has no sound track
    tracks: tuple[FaceTrack, ...]  # tracks long enough for a window, the likeliest speaker first
    lip_syncs: tuple[LipSync, ...]  # one for each track
    offset: OffsetFit | None = None  # between lips and sound, over all tracks
    sound_shift: float = 0.0  # seconds after the first frame at which a separate sound was found to begin
    sound_choice: AudioChoice | None = None  # which track of the file it is; None: there is none


def analyse_video(
    video: Path,
    *,
    finder: Finder | None,
    sound: Path | None = None,
    compare_sound: bool = True,
    tracks: TrackRequest = NO_REQUEST,
    timer: PartTimer | None = None,
    progress: Progress = ignore_progress,
) -> VideoAnalysis:
    """Scans the frames and the sound of a video of any length, holding little of it in memory at a time.

    Frames and sound that a decoder reports as damaged are marked, and are not scored.

    Args:
      finder: face finder; None for videos whose frames are cut already.
      sound: a file to take the sound from; by default the video's own sound track.
      compare_sound: whether that file is placed in time by the video's own track, which must hold the same
        sound; otherwise it starts with the first frame.
      tracks: asked for; the sound track is one of the file that the sound is taken from.

    Raises:
      ClipError: the file can't be read as a whole or lacks a track that is asked for, or the sound is another
        one.
    """
    timer = timer or PartTimer()
    with timer.time("clock"):
        clock = read_clock(video, tracks if sound is None else replace(tracks, audio=""))
        sound_clock = clock if sound is None else read_clock(sound, replace(tracks, video=0))
    with timer.time("picture and faces"):
        looking = partial(progress, "looking")
        scan = scan_video(video, finder, damage=Damage("keep"), progress=looking, clock=clock)
    with timer.time("sound"):
        shift = _measure_shift(video, sound, scan, sound_clock) if sound and compare_sound else 0.0
        track = _read_sound(video, sound, scan, sound_clock, shift)
    faces, lip_syncs = _find_faces(scan, track, with_faces=finder is not None)
    offset = fit_offset(faces, scan, track)
    choice = sound_clock.audio_choice
    return VideoAnalysis(video, scan, track, tuple(faces), tuple(lip_syncs), offset, shift, choice)


def _measure_shift(video: Path, sound: Path, scan: Scan, clock: FileClock) -> float:
    """Seconds from the first frame to where a separate sound begins. Raises ClipError for another sound."""
    heard = read_beginning(sound, clock.audio)
    if heard is None:  # reading all of it gives the reason
        return 0.0
    placed = place_separate_sound(video, heard[1], scan.clock)
    if placed.fault:
        raise ClipError(
            f"{sound}: {placed.fault}; --compare_sound=false takes it as it is, from the first frame on"
        )
    return placed.shift


def _read_sound(
    video: Path, sound: Path | None, scan: Scan, clock: FileClock, shift: float
) -> SoundTrack | None:
    """The sound track; None for a video without one. A separate sound file must be readable."""
    longest = MAX_HOURS * 3600
    if sound is not None:
        found = read_sound_track(sound, longest, clock.audio)
        return replace(found, start=float(scan.times[0]) + shift)
    return None if clock.audio is None else read_sound_track(video, longest, clock.audio)


def _find_faces(
    scan: Scan, sound: SoundTrack | None, *, with_faces: bool
) -> tuple[list[FaceTrack], list[LipSync]]:
    """The tracks to score, the likeliest speaker first, and how each mouth follows the sound."""
    found = [coverage.make_whole_frame_track(scan)]
    if with_faces:
        found = follow_faces(scan.samples, scan.times, scan.width, scan.height)
    found = coverage.with_sound_reasons(with_flaws(found, find_flaws(scan)), scan, sound)
    found = with_speaking_reasons(found, scan, sound)
    tracks = [track for track in found if len(track.frames) >= FRAMES_PER_WINDOW]
    lip_syncs = [measure_lip_sync(track, scan, sound) for track in tracks]
    order = sorted(range(len(tracks)), key=lambda i: _speaker_rank(tracks[i], scan, lip_syncs[i]))
    return [tracks[i] for i in order], [lip_syncs[i] for i in order]


def _speaker_rank(track: FaceTrack, scan: Scan, lip_sync: LipSync) -> tuple:
    """Sort key: the face whose mouth follows the sound best comes first, unmeasured ones last."""
    known = not np.isnan(lip_sync.correlation)
    return (
        not len(find_fit_starts(track, scan)),
        not known,
        -round(lip_sync.correlation, 2) if known else 0,
        -len(track.frames),
    )
