"""Extraction of a clip's windows: frames decoded, and their sound cut from the clip's mel image."""

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.audio import Sound, make_mel_image, read_sound
from lipfd_jax.preprocessing.clock import FileClock, StreamClock
from lipfd_jax.preprocessing.composite import Window, stack_frames
from lipfd_jax.preprocessing.containers import Damage, DamagePolicy
from lipfd_jax.preprocessing.key_frames import describe_missing_start
from lipfd_jax.preprocessing.mel import mel_columns
from lipfd_jax.preprocessing.paper_windows import (
    find_holes,
    find_starts,
    find_window_span,
    pick_frames,
    spread_starts,
)
from lipfd_jax.preprocessing.recoding import recode_video
from lipfd_jax.preprocessing.released_windows import released_frames, released_starts
from lipfd_jax.preprocessing.separate_sound import place_separate_sound
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, TrackRequest
from lipfd_jax.preprocessing.video import (
    DecodedFrames,
    FramePerturbation,
    VideoTrack,
    read_frames,
    read_track,
)
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, WindowConvention, colour_table

FrameReader = Callable[..., DecodedFrames]  # read_frames, or FrameCache.read
_RELEASED_RATES = (23.0, 31.0)  # frames a second at which released windows are about as long as in AVLips
_TOLERATED = 0.5  # seconds by which sound and video may differ in length without a warning


@dataclass(frozen=True)
class Extraction:
    """Windows of a clip, and warnings about it."""

    cut_windows: tuple[Window, ...]
    warnings: tuple[str, ...]  # e.g. "silent sound"


@dataclass(frozen=True)
class ClipPerturbation:
    """Perturbation of a clip before its windows are cut, for robustness suites."""

    sound: Callable[[np.ndarray], np.ndarray] | None = None  # takes samples (n,) float32 at 22050 Hz
    frame: FramePerturbation | None = None  # takes every frame shown, before it is resized
    crf: int | None = None  # rate factor at which frames are recoded as H.264


NO_PERTURBATION = ClipPerturbation()


def extract_windows(
    clip: Clip,
    convention: WindowConvention = "paper",
    damaged: DamagePolicy = "refuse",
    perturbation: ClipPerturbation = NO_PERTURBATION,
    read: FrameReader = read_frames,
    tracks: TrackRequest = NO_REQUEST,
) -> Extraction:
    """Extracts all windows of a clip in one decoding pass, without temporary files unless it is recoded.

    Args:
      convention: `paper`: up to ten windows over the whole clip, each with five frames of its own, 40 ms
        apart at any frame rate, and the mel columns of exactly the time they are shown; frozen pictures,
        holes and seams of recordings are left out; the sound is the clip's wav (assumed to start with the
        first frame), else the track inside the video. `released`: as in the released code, index wrap and
        overlap faults included; needs the wav.
      damaged: whether clips of which a decoder reports damage are refused, or kept with a warning.
      perturbation: of sound and frames.
      read: replaces `read_frames` on the clip itself, e.g. with `FrameCache.read`.
      tracks: asked for; see `request_tracks`.

    Raises:
      ClipError: no window can be built; names the file and the reason.
    """
    damage = Damage(damaged)
    if convention == "released" and clip.wav is None:
        raise ClipError(f"{clip.path}: no wav next to it, which released windows need; use paper windows")
    track = read_track(clip.path, request_tracks(clip, tracks))
    _check_frame_count(clip.path, len(track.times))
    sound = read_clip_sound(clip, track.clock, damage, convention)
    mel = make_mel_image(sound.samples if perturbation.sound is None else perturbation.sound(sound.samples))
    cut = _cut_released_windows if convention == "released" else _cut_paper_windows
    clock = track.clock.video
    read = functools.partial(read, clock=clock, convention=convention)
    read = _perturb_frames(clip.path, perturbation, read, convention, clock)
    built, warnings = cut(clip.path, track, sound, mel, damage, read)
    if not built:
        raise ClipError(f"{clip.path}: no complete window of {FRAMES_PER_WINDOW} frames")
    warnings = [*track_warnings(clip, track.clock), *_sound_warnings(track, sound), *warnings]
    return Extraction(tuple(built), (*warnings, *damage_warnings(damage)))


def request_tracks(clip: Clip, tracks: TrackRequest) -> TrackRequest:
    """The tracks to ask a clip's video for: no sound track if the clip has a wav beside it."""
    return tracks if clip.wav is None else replace(tracks, audio="")


def track_warnings(clip: Clip, clock: FileClock) -> list[str]:
    """Names the track and the channel that are read, where there were others."""
    audio = clock.audio_choice if clip.wav is None else None
    return [note for choice in (clock.video_choice, audio) if choice and (note := choice.describe())]


def _perturb_frames(
    path: Path,
    perturbation: ClipPerturbation,
    read: FrameReader,
    convention: WindowConvention,
    clock: StreamClock | None,
) -> FrameReader:
    """Returns a reader of the perturbed frames; which of them are frozen is told by those of the clip."""
    if perturbation.crf is None:
        return functools.partial(read, path, perturbation=perturbation.frame)
    crf = perturbation.crf

    def read_recoded(wanted: Collection[int], damage: Damage) -> DecodedFrames:
        plain = read(path, (), damage)
        with recode_video(path, crf, convention, clock) as video:
            return replace(plain, frames=read_frames(video, wanted, None, perturbation.frame).frames)

    return read_recoded


def damage_warnings(damage: Damage) -> list[str]:
    """Returns the warning of a clip kept despite damage, if any."""
    return [f"damaged: decoders reported {damage.places} places"] if damage.places else []


def read_clip_sound(
    clip: Clip, clock: FileClock, damage: Damage, convention: WindowConvention = "paper"
) -> Sound:
    """Reads a clip's sound: its wav, placed by `place_separate_sound`, else the track inside the video.

    Released windows do not depend on where the wav starts, and are only warned of one that is not in place.
    Raises ClipError also for a wav with another sound than the video's track, and where the track's clock
    contradicts that of the picture.
    """
    if clip.wav is not None:
        return _place_wav(clip, read_sound(clip.wav, damage), clock, convention)
    sound = read_sound(clip.path, damage, clock.audio)
    for begin, _ in clock.undecided:
        raise ClipError(
            f"{clip.path}: from {begin - clock.start:.1f} s on, the times of its picture and its sound "
            "contradict each other, as in a badly joined recording; cut it there"
        )
    return sound


def _place_wav(clip: Clip, sound: Sound, clock: FileClock, convention: WindowConvention) -> Sound:
    placed = place_separate_sound(clip.path, sound.samples, clock)
    if convention == "released":
        found = placed.fault or placed.warning
        return Sound(sound.samples, clock.start, (f"{found}; released windows ignore that",) if found else ())
    if placed.fault:
        raise ClipError(f"{clip.wav}: {placed.fault}; remove the wrong one of the two")
    return Sound(sound.samples, placed.start, (placed.warning,) if placed.warning else ())


def _cut_paper_windows(
    path: Path, track: VideoTrack, sound: Sound, mel: np.ndarray, damage: Damage, read: FrameReader
) -> tuple[list[Window], list[str]]:
    chosen = _choose_windows(track, None)
    decoded, warnings = read(chosen.ravel().tolist(), damage), []
    if len(decoded.times) != len(track.times):
        # Packets of some codecs do not map to frames one to one.
        announced = f"{len(track.times)} frames announced, {len(decoded.times)} decoded"
        warnings = [describe_missing_start(path, track.index) or announced]
        _check_frame_count(path, len(decoded.times))
        track = track.with_times(decoded.times)
    if warnings or decoded.frozen.any():  # rare, so a second pass is acceptable
        chosen = _choose_windows(track, decoded.frozen)
        decoded = read(chosen.ravel().tolist(), Damage(damage.policy))  # already counted
    if not len(chosen):
        raise ClipError(
            f"{path}: no window of five frames, 40 ms apart; {_describe_obstacle(track, decoded)}"
        )
    bounds = track.boundaries()
    built, unheard = [], 0
    for index, frames in enumerate(chosen):
        first, last = mel_columns(*find_window_span(bounds, frames), sound.start)
        unheard += bool(first >= mel.shape[1] or last <= 0)
        pictures = stack_frames([decoded.frames[number] for number in frames])
        built.append(Window(index, int(frames[0]), track.fps, mel_strip(mel, first, last), pictures))
    warnings += _picture_warnings(track, decoded.frozen)
    return built, warnings + [f"{unheard} windows are outside the sound"] * (unheard > 0)


def _choose_windows(track: VideoTrack, frozen: np.ndarray | None) -> np.ndarray:
    """Returns (n, 5) int64: the frames of up to ten windows, spread over all places where one can start."""
    bounds = track.boundaries()
    fit = np.ones(len(track.times), bool) if frozen is None else ~frozen
    return pick_frames(bounds, spread_starts(find_starts(bounds, fit, track.clock.joins)))


def _describe_obstacle(track: VideoTrack, decoded: DecodedFrames) -> str:
    if decoded.frozen.mean() > 0.5:
        return "the picture stands still"
    return f"it has {track.fps:.1f} frames a second, and gaps of more than 80 ms between them"


def _picture_warnings(track: VideoTrack, frozen: np.ndarray) -> list[str]:
    """Names stretches from which no window is taken."""
    lengths, found = np.diff(track.boundaries()), []
    if frozen.any():
        found.append(f"a frozen picture for {lengths[frozen].sum():.1f} s, not used")
    holes = find_holes(track.boundaries())
    if holes[:-1].any():
        found.append(
            f"{holes[:-1].sum()} gaps between frames, {lengths[:-1][holes[:-1]].sum():.1f} s, not used"
        )
    if track.clock.unread:
        found.append(f"{track.clock.unread / 1e6:.1f} MB at its end are no part of it, not used")
    if track.clock.joins:
        places = ", ".join(f"{join - track.times[0]:.1f}" for join in track.clock.joins[:5])
        found.append(f"recordings joined at {places} s")
    return found


def _cut_released_windows(
    path: Path, track: VideoTrack, sound: Sound, mel: np.ndarray, damage: Damage, read: FrameReader
) -> tuple[list[Window], list[str]]:
    if track.opencv_count < 1:
        raise ClipError(f"{path}: its header gives no number of frames, which released windows need")
    starts = released_starts(track.opencv_count)
    decoded = read(released_frames(starts), damage).frames
    kept = sorted(decoded)
    per_frame = mel.shape[1] / track.opencv_count
    built = []
    for index in range(len(kept) // FRAMES_PER_WINDOW):
        numbers = kept[index * FRAMES_PER_WINDOW : (index + 1) * FRAMES_PER_WINDOW]
        nominal = starts[index]  # selects the sound, whatever the frames are
        first, last = (int(np.round(number * per_frame)) for number in (nominal, nominal + FRAMES_PER_WINDOW))
        if first >= min(last, mel.shape[1]):
            raise ClipError(f"{path}: no mel columns for window {index}; the released code fails here too")
        frames = stack_frames([decoded[number] for number in numbers])
        built.append(Window(index, numbers[0], track.fps, np.ascontiguousarray(mel[:, first:last]), frames))
    left = len(kept) % FRAMES_PER_WINDOW
    warnings = [f"last {left} frames dropped, as they fill no window"] * (left > 0)
    return built, warnings + _rate_warnings(track)


def _rate_warnings(track: VideoTrack) -> list[str]:
    if _RELEASED_RATES[0] <= track.fps <= _RELEASED_RATES[1]:
        return []
    span = 1000 * FRAMES_PER_WINDOW / track.fps
    return [
        f"{track.fps:.1f} frames a second: a released window shows {span:.0f} ms instead of 200, so its "
        "scores mean little; paper windows suit any rate"
    ]


def mel_strip(mel: np.ndarray, first: int, last: int) -> np.ndarray:
    """Returns columns first..last-1 of a mel image (128, columns, 3); minimum colour beyond its ends."""
    strip = np.empty((len(mel), last - first, 3), np.uint8)
    strip[:] = colour_table()[0]
    heard = mel[:, max(first, 0) : max(last, 0)]
    offset = max(-first, 0)
    strip[:, offset : offset + heard.shape[1]] = heard
    return strip


def _check_frame_count(path: Path, count: int) -> None:
    if count < FRAMES_PER_WINDOW:
        raise ClipError(f"{path}: {count} frames, expected at least {FRAMES_PER_WINDOW}")


def _sound_warnings(track: VideoTrack, sound: Sound) -> list[str]:
    begin, end = (time - track.times[0] for time in (sound.start, sound.start + sound.seconds))
    found = ["silent sound"] * sound.is_silent + list(sound.warnings)
    if max(abs(begin), abs(end - track.seconds)) > _TOLERATED:
        found.append(f"sound from {begin:.2f} to {end:.2f} s, video from 0 to {track.seconds:.2f} s")
    return found
