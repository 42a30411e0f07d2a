"""Extraction of a clip's windows: frames decoded, and their sound cut from the clip's mel image."""

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.audio import Sound, make_mel_image
from lipfd_jax.preprocessing.clip_sound import read_clip_sound, request_tracks
from lipfd_jax.preprocessing.clip_warnings import (
    damage_warnings,
    length_warnings,
    picture_warnings,
    rate_warnings,
    sound_warnings,
    track_warnings,
)
from lipfd_jax.preprocessing.clock import StreamClock
from lipfd_jax.preprocessing.composite import Window, cut_mel_strip, stack_frames
from lipfd_jax.preprocessing.containers import Damage, DamagePolicy
from lipfd_jax.preprocessing.key_frames import describe_missing_start
from lipfd_jax.preprocessing.mel import mel_columns
from lipfd_jax.preprocessing.paper_windows import (
    find_starts,
    find_window_span,
    pick_frames,
    spread_starts,
)
from lipfd_jax.preprocessing.recoding import recode_video
from lipfd_jax.preprocessing.released_windows import released_frames, released_starts
from lipfd_jax.preprocessing.track_choices import NO_REQUEST, TrackRequest
from lipfd_jax.preprocessing.video import (
    DecodedFrames,
    FramePerturbation,
    VideoTrack,
    read_frames,
    read_track,
)
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, WindowConvention

FrameReader = Callable[..., DecodedFrames]  # read_frames, or FrameCache.read


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

    def perturb_sound(self, samples: np.ndarray) -> np.ndarray:
        """Returns the perturbed samples (n,) float32 at 22050 Hz."""
        return samples if self.sound is None else self.sound(samples)


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
    mel = make_mel_image(perturbation.perturb_sound(sound.samples))
    cut = _cut_released_windows if convention == "released" else _cut_paper_windows
    clock = track.clock.video
    read = functools.partial(read, clock=clock, convention=convention)
    read = _perturb_frames(clip.path, perturbation, read, convention, clock)
    built, warnings = cut(clip.path, track, sound, mel, damage, read)
    if not built:
        raise ClipError(f"{clip.path}: no complete window of {FRAMES_PER_WINDOW} frames")
    found = [*track_warnings(clip, track.clock), *sound_warnings(sound), *length_warnings(track, sound)]
    return Extraction(tuple(built), (*found, *warnings, *damage_warnings(damage)))


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
        built.append(Window(index, int(frames[0]), track.fps, cut_mel_strip(mel, first, last), pictures))
    warnings += picture_warnings(track.clock, bounds, decoded.frozen)
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
    return built, warnings + rate_warnings(track)


def _check_frame_count(path: Path, count: int) -> None:
    if count < FRAMES_PER_WINDOW:
        raise ClipError(f"{path}: {count} frames, expected at least {FRAMES_PER_WINDOW}")
