"""Extraction of face clips: whole clips cropped to a face, from which training cuts windows."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.faces.clip_parts import ClipPart, choose_parts, find_areas, find_squares
from lipfd_jax.faces.extraction import find_longest_track, find_warnings
from lipfd_jax.faces.face_clips import CLIP_SIDE, FaceClip
from lipfd_jax.faces.face_search import default_finder
from lipfd_jax.faces.finders import Finder
from lipfd_jax.faces.fitness import find_fit_starts
from lipfd_jax.faces.framing import cut_square
from lipfd_jax.faces.scan import Scan, scan_video
from lipfd_jax.faces.tracks import FaceTrack
from lipfd_jax.faces.window_reader import read_pictures
from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.audio import Sound
from lipfd_jax.preprocessing.clip_sound import read_clip_sound, request_tracks
from lipfd_jax.preprocessing.clip_warnings import damage_warnings, track_warnings
from lipfd_jax.preprocessing.clock_reading import read_clock
from lipfd_jax.preprocessing.containers import Damage, DamagePolicy
from lipfd_jax.preprocessing.encoding import JPEG_QUALITY, encode_jpeg
from lipfd_jax.preprocessing.mel import FFT_SIZE, HOP, SAMPLE_RATE
from lipfd_jax.preprocessing.pcm import encode_pcm
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, TrackRequest

MOST_PARTS = 6  # of one video, so that a long one neither fills the memory nor dominates
SOUND_MARGIN = 10.0  # seconds of sound kept before and after the frames


@dataclass(frozen=True)
class ClipForm:
    """Form of face clips."""

    side: int = CLIP_SIDE  # pixels, to which larger squares are shrunk
    quality: int = JPEG_QUALITY  # of the frames, 1 to 100
    seconds: float = 10.0  # longest clip


@dataclass(frozen=True)
class ClipExtraction:
    """Face clips of a video, and warnings about it."""

    clips: tuple[FaceClip, ...]
    warnings: tuple[str, ...]


def extract_face_clips(
    clip: Clip,
    form: ClipForm,
    find: Finder | None = None,
    damaged: DamagePolicy = "refuse",
    *,
    tracks: TrackRequest = NO_REQUEST,
) -> ClipExtraction:
    """Extracts the face that is visible longest, as up to six clips of frames that windows can show.

    The same face, frames and squares as in `extract_face_windows`. Of a video with more than six clips six
    are taken, spread evenly.

    Args:
      form: size, quality and length of the clips.
      find: the face finder; by default the installed one.
      damaged: whether videos of which a decoder reports damage are refused, or kept with a warning.
      tracks: asked for; see `request_tracks`.

    Raises:
      ClipError: no window can be cut; names the file and the reason.
      MissingFinder: no face detector is installed.
    """
    damage = Damage(damaged)
    clock = read_clock(clip.path, request_tracks(clip, tracks))
    seen = scan_video(clip.path, find or default_finder(), damage=damage, clock=clock)
    track = find_longest_track(clip, seen)
    sound = read_clip_sound(clip, seen.clock, damage)
    parts = choose_parts(seen.boundaries(), find_fit_starts(track, seen), seen.usual_fps, form.seconds)
    taken = np.unique(np.rint(np.linspace(0, len(parts) - 1, MOST_PARTS)).astype(int))
    warnings = [*track_warnings(clip, seen.clock), *find_warnings(track, seen, sound)]
    if len(parts) > len(taken):
        warnings.append(f"{len(taken)} of {len(parts)} clips of up to {form.seconds:g} s are taken")
    chosen = [parts[number] for number in taken]
    made = tuple(_make_clips(clip, seen, track, sound, chosen, form))
    return ClipExtraction(made, (*warnings, *damage_warnings(damage)))


def _make_clips(
    clip: Clip, seen: Scan, track: FaceTrack, sound: Sound, parts: list[ClipPart], form: ClipForm
) -> Iterator[FaceClip]:
    pictures = read_pictures(clip.path, seen, np.concatenate([part.numbers for part in parts]).tolist())
    bounds = seen.boundaries()
    for index, part in enumerate(parts):
        squares = find_squares(track, seen, part.numbers)
        areas = find_areas(part, squares, seen.width, seen.height)
        if track.whole:
            areas[:] = 0, 0, seen.width, seen.height
        frames = []
        for number, area, square in zip(part.numbers, areas, squares, strict=True):
            found, picture = next(pictures, (-1, None))
            if picture is None or found != number or picture.shape[:2] != (seen.height, seen.width):
                raise ClipError(f"{clip.path}: frame {number} is not found again, or has another size")
            frames.append(_encode_frame(picture, None if track.whole else area, square[2], form))
        times, ends = bounds[part.numbers], bounds[part.numbers + 1]
        samples, start = _cut_sound(sound, times[0], ends[-1])
        data, scale = encode_pcm(samples)
        yield FaceClip(
            video=clip.video,
            source=clip.source,
            generator=clip.generator,
            label=clip.label,
            part=index,
            fps=seen.fps,
            width=seen.width,
            height=seen.height,
            whole=track.whole,
            frames=tuple(frames),
            numbers=part.numbers,
            times=times,
            ends=ends,
            areas=areas,
            squares=squares,
            boxes=track.boxes[part.numbers - track.frames[0]],
            starts=part.starts,
            sound=data,
            sound_scale=scale,
            sound_start=start,
        )


def _encode_frame(picture: np.ndarray, area: np.ndarray | None, side: float, form: ClipForm) -> bytes:
    """Encodes an area of a picture, or all of it; shrunk so that a square of a side fits the form's."""
    if area is None:
        return encode_jpeg(cut_square(picture, None, form.side), form.quality)
    left, top, width, height = area
    piece = picture[top : top + height, left : left + width]
    scale = form.side / side
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        piece = cv2.resize(piece, size, interpolation=cv2.INTER_AREA)
    return encode_jpeg(piece, form.quality)


def _cut_sound(sound: Sound, begin: float, end: float) -> tuple[np.ndarray, float]:
    """Returns samples around a time, and when they start: with a column of the whole sound's mel image."""
    first = int((begin - SOUND_MARGIN - sound.start) * SAMPLE_RATE) // HOP * HOP
    last = int((end + SOUND_MARGIN - sound.start) * SAMPLE_RATE)
    first = min(max(first, 0), max(len(sound.samples) - FFT_SIZE, 0) // HOP * HOP)
    samples = sound.samples[first : max(last, first + FFT_SIZE)]
    return samples, sound.start + first / SAMPLE_RATE
