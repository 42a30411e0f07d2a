"""Extraction of a clip's windows: frames decoded, and their sound cut from the clip's mel image."""

import functools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lipfd_jax.listing.clips import Clip, ClipError
from lipfd_jax.preprocessing.audio import Sound, make_mel_image, read_sound
from lipfd_jax.preprocessing.composite import Window, resize_to_tile
from lipfd_jax.preprocessing.containers import Damage, DamagePolicy
from lipfd_jax.preprocessing.mel import mel_columns
from lipfd_jax.preprocessing.recoding import recode_video
from lipfd_jax.preprocessing.video import (
    DecodedFrames,
    FramePerturbation,
    VideoTrack,
    read_frames,
    read_track,
)
from lipfd_jax.preprocessing.window_starts import paper_starts, released_frames, released_starts
from lipfd_jax.vocabulary import FRAMES_PER_WINDOW, WindowConvention, colour_table

FrameReader = Callable[..., DecodedFrames]  # read_frames, or FrameCache.read
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
) -> Extraction:
    """Extracts all windows of a clip in one decoding pass, without temporary files unless it is recoded.

    Args:
      windows: `paper`: up to ten windows over the whole clip, each with five consecutive frames of its own
        and the mel columns of exactly the time they are shown, at any frame rate; the sound is the clip's wav
        (assumed to start with the first frame), else the track inside the video. `released`: as in the
        released code, index wrap and overlap faults included; needs the wav.
      damaged: whether clips of which a decoder reports damage are refused, or kept with a warning.
      perturbation: of sound and frames.
      read: replaces `read_frames` on the clip itself, e.g. with `FrameCache.read`.

    Raises:
      ClipError: no window can be built; names the file and the reason.
    """
    damage = Damage(damaged)
    if convention == "released" and clip.wav is None:
        raise ClipError(f"{clip.path}: no wav next to it, which released windows need; use paper windows")
    track = read_track(clip.path)
    _check_frame_count(clip.path, len(track.times))
    sound = _read_sound_track(clip, track, damage)
    mel = make_mel_image(sound.samples if perturbation.sound is None else perturbation.sound(sound.samples))
    cut = _cut_released_windows if convention == "released" else _cut_paper_windows
    with (
        nullcontext(clip.path)
        if perturbation.crf is None
        else recode_video(clip.path, perturbation.crf) as video
    ):
        reader = functools.partial(
            read if perturbation.crf is None else read_frames, video, perturbation=perturbation.frame
        )
        built, warnings = cut(clip.path, track, sound, mel, damage, reader)
    if not built:
        raise ClipError(f"{clip.path}: no complete window of {FRAMES_PER_WINDOW} frames")
    return Extraction(tuple(built), (*_sound_warnings(track, sound), *warnings, *damage_warnings(damage)))


def damage_warnings(damage: Damage) -> list[str]:
    """Returns the warning of a clip kept despite damage, if any."""
    return [f"damaged: decoders reported {damage.places} places"] if damage.places else []


def _read_sound_track(clip: Clip, track: VideoTrack, damage: Damage) -> Sound:
    if clip.wav is None:
        return read_sound(clip.path, damage)
    return Sound(read_sound(clip.wav, damage).samples, start=float(track.times[0]))


def _cut_paper_windows(
    path: Path, track: VideoTrack, sound: Sound, mel: np.ndarray, damage: Damage, read: FrameReader
) -> tuple[list[Window], list[str]]:
    starts = paper_starts(len(track.times))
    decoded, warnings = read(_list_frames(starts), damage), []
    if len(decoded.times) != len(track.times):
        # Packets of some codecs do not map to frames one to one. Rare, so a second pass is acceptable.
        warnings = [f"{len(track.times)} frames announced, {len(decoded.times)} decoded"]
        _check_frame_count(path, len(decoded.times))
        track = track.with_times(decoded.times)
        starts = paper_starts(len(track.times))
        decoded = read(_list_frames(starts), Damage(damage.policy))  # already counted
    bounds = track.boundaries()
    built, unheard = [], 0
    for index, start in enumerate(starts):
        end = start + FRAMES_PER_WINDOW
        first, last = mel_columns(bounds[start], bounds[end], sound.start)
        unheard += bool(first >= mel.shape[1] or last <= 0)
        frames = _stack_frames([decoded.frames[number] for number in range(start, end)])
        built.append(Window(index, start, track.fps, mel_strip(mel, first, last), frames))
    return built, warnings + [f"{unheard} windows are outside the sound"] * (unheard > 0)


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
        frames = _stack_frames([decoded[number] for number in numbers])
        built.append(Window(index, numbers[0], track.fps, np.ascontiguousarray(mel[:, first:last]), frames))
    left = len(kept) % FRAMES_PER_WINDOW
    return built, [f"last {left} frames dropped, as they fill no window"] * (left > 0)


def _list_frames(starts: list[int]) -> set[int]:
    return {start + offset for start in starts for offset in range(FRAMES_PER_WINDOW)}


def _stack_frames(frames: list[np.ndarray]) -> np.ndarray:
    """Stacks frames; resized to 500x500 in the rare video that changes its size."""
    same = len({frame.shape for frame in frames}) == 1
    return np.stack(frames if same else [resize_to_tile(frame) for frame in frames])


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
    found = ["silent sound"] if sound.is_silent else []
    if max(abs(begin), abs(end - track.seconds)) > _TOLERATED:
        found.append(f"sound from {begin:.2f} to {end:.2f} s, video from 0 to {track.seconds:.2f} s")
    return found
