"""Extraction of windows cropped to a face: records framed like AVLips from other videos."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from lipfd_jax.faces.face_search import default_finder
from lipfd_jax.faces.finders import Finder
from lipfd_jax.faces.fitness import find_fit_starts, find_flaws, with_flaws
from lipfd_jax.faces.framing import CROP_SIDE
from lipfd_jax.faces.scan import Scan, scan_video
from lipfd_jax.faces.tracks import FaceTrack, follow_faces
from lipfd_jax.faces.window_reader import WindowRequest, read_windows
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.audio import Sound, make_mel_image
from lipfd_jax.preprocessing.clip_sound import read_clip_sound, request_tracks
from lipfd_jax.preprocessing.clip_warnings import (
    damage_warnings,
    picture_warnings,
    sound_warnings,
    track_warnings,
)
from lipfd_jax.preprocessing.clock_reading import read_clock
from lipfd_jax.preprocessing.composite import Window, cut_mel_strip
from lipfd_jax.preprocessing.containers import Damage, DamagePolicy
from lipfd_jax.preprocessing.extraction import (
    NO_PERTURBATION,
    ClipPerturbation,
    Extraction,
)
from lipfd_jax.preprocessing.key_frames import NOTICED_SECONDS, word_missing_start
from lipfd_jax.preprocessing.mel import mel_columns
from lipfd_jax.preprocessing.paper_windows import find_window_span, pick_frames, spread_starts
from lipfd_jax.preprocessing.recoding import recode_video
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, TrackRequest

_WARNED_SHARE = 0.1  # share of frames without a usable face above which a warning is given


WindowReader = Callable[
    ..., Iterable[tuple[WindowRequest, np.ndarray]]
]  # read_windows, or another with its arguments


def extract_face_windows(
    clip: Clip,
    find: Finder | None = None,
    damaged: DamagePolicy = "refuse",
    *,
    perturbation: ClipPerturbation = NO_PERTURBATION,
    seen: Scan | None = None,
    read: WindowReader = read_windows,
    tracks: TrackRequest = NO_REQUEST,
    side: int = CROP_SIDE,
) -> Extraction:
    """Extracts up to ten windows of the face that is visible longest, cropped to it; paper windows.

    Every window has one square, that of its middle frame. Faces that are small, turned away or cut by the
    edge are not used. A frame that is already cropped like AVLips is used whole: its records are those
    without cropping.

    Args:
      find: the face finder; by default the installed one.
      damaged: whether clips of which a decoder reports damage are refused, or kept with a warning.
      perturbation: of sound and frames; faces are detected, and windows chosen, before it.
      seen: an earlier result of `scan_video` for the clip.
      read: replaces `read_windows` on the clip itself.
      tracks: asked for; see `request_tracks`.
      side: pixels to which crops are shrunk where larger.

    Raises:
      ClipError: no window can be built; names the file and the reason.
      MissingFinder: no face detector is installed.
    """
    damage = Damage(damaged)
    if seen is None:
        clock = read_clock(clip.path, request_tracks(clip, tracks))
        seen = scan_video(clip.path, find or default_finder(), damage=damage, clock=clock)
    track = find_longest_track(clip, seen)
    sound = read_clip_sound(clip, seen.clock, damage)
    starts = spread_starts(find_fit_starts(track, seen))
    wanted = [_make_request(track, seen, frames, side) for frames in pick_frames(seen.boundaries(), starts)]
    mel = make_mel_image(perturbation.perturb_sound(sound.samples))
    bounds = seen.boundaries()
    built = [
        Window(index, window.start, seen.fps, _strip(mel, bounds, window.frames, sound), frames)
        for index, (window, frames) in enumerate(_read_frames(clip, seen, wanted, perturbation, read))
    ]
    warnings = [*track_warnings(clip, seen.clock), *find_warnings(track, seen, sound)]
    return Extraction(tuple(built), (*warnings, *damage_warnings(damage)))


def _read_frames(
    clip: Clip, seen: Scan, wanted: list[WindowRequest], perturbation: ClipPerturbation, read: WindowReader
) -> Iterator[tuple[WindowRequest, np.ndarray]]:
    """Yields the frames of each window; in a recoded clip they are counted, as its times may differ."""
    if perturbation.crf is None:
        yield from read(clip.path, seen, wanted, perturbation.frame)
    else:
        with recode_video(clip.path, perturbation.crf, clock=seen.clock.video) as video:
            yield from read_windows(
                video, replace(seen, seekable=False, cached_frames=()), wanted, perturbation.frame
            )


def find_longest_track(clip: Clip, seen: Scan) -> FaceTrack:
    """Returns the track with the most frames to start windows from. Raises ClipError where there is none."""
    flaws = find_flaws(seen)
    flaws[flaws == "damaged"] = ""  # such clips are refused, or kept as they are
    tracks = with_flaws(follow_faces(seen.samples, seen.times, seen.width, seen.height), flaws)
    best = max(tracks, key=lambda track: len(find_fit_starts(track, seen)), default=None)
    if best is None:
        raise ClipError(f"{clip.path}: no face found")
    if not len(find_fit_starts(best, seen)):
        reasons = ", ".join(sorted({str(reason) for track in tracks for reason in track.unfit} - {""}))
        raise ClipError(f"{clip.path}: no usable face ({reasons})")
    return best


def _make_request(track: FaceTrack, seen: Scan, frames: np.ndarray, side: int) -> WindowRequest:
    middle = int(frames[len(frames) // 2])
    return WindowRequest(0, tuple(frames.tolist()), track.square(middle, seen.width, seen.height), side)


def _strip(mel: np.ndarray, bounds: np.ndarray, frames: tuple[int, ...], sound: Sound) -> np.ndarray:
    return cut_mel_strip(mel, *mel_columns(*find_window_span(bounds, frames), sound.start))


def find_warnings(track: FaceTrack, seen: Scan, sound: Sound) -> list[str]:
    """Names what is unusual about the picture, the sound and the face of a clip."""
    missing = 1 - float((track.unfit == "").sum()) / len(seen.times)
    found = [*sound_warnings(sound), *picture_warnings(seen.clock, seen.boundaries(), seen.frozen)]
    if seen.missing_start > NOTICED_SECONDS:
        found.append(word_missing_start(seen.missing_start))
    if missing > _WARNED_SHARE:
        found.append(f"no usable face in {100 * missing:.0f} % of the frames")
    return found
