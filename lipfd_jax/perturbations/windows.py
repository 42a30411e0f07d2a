"""Perturbations of a video's windows after they were cut: parts blanked, masked or reordered.

Each function takes all windows of a video and a random generator and returns as many new windows.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lipfd_jax.perturbations import mel_strips
from lipfd_jax.perturbations.perturbation import Random
from lipfd_jax.preprocessing.composite import Window, resize_to_tile
from lipfd_jax.preprocessing.mouth_region import locate_mouth

_GREY = 128


def blank_frames(windows: Sequence[Window], rng: Random) -> list[Window]:
    """Frames of uniform middle grey."""
    del rng
    return [replace(window, frames=np.full_like(window.frames, _GREY)) for window in windows]


def blank_mel(windows: Sequence[Window], rng: Random) -> list[Window]:
    """Mel strips in the colour of silence."""
    del rng
    silence = mel_strips.draw_strip(np.zeros((1, 1)))[0, 0]
    return [replace(window, mel=np.broadcast_to(silence, window.mel.shape)) for window in windows]


def shuffle_frames(windows: Sequence[Window], rng: Random) -> list[Window]:
    """All frames of the video in random order; the sound stays in place."""
    frames = [frame for window in windows for frame in window.frames]
    if len({frame.shape for frame in frames}) > 1:  # face crops of several sizes
        frames = [resize_to_tile(frame) for frame in frames]  # the size at which all enter the composite
    shuffled = np.stack(frames)[rng.permutation(len(frames))]
    parts = np.split(shuffled, np.cumsum([len(window.frames) for window in windows])[:-1])
    return [replace(window, frames=part) for window, part in zip(windows, parts, strict=True)]


def mask_mouth(windows: Sequence[Window], rng: Random) -> list[Window]:
    """Middle grey over the mouth region."""
    del rng
    return [_mask(window, outside=False) for window in windows]


def keep_mouth(windows: Sequence[Window], rng: Random) -> list[Window]:
    """Middle grey over everything except the mouth region."""
    del rng
    return [_mask(window, outside=True) for window in windows]


def _mask(window: Window, *, outside: bool) -> Window:
    frames = window.frames.copy()
    mouth = (slice(None), *locate_mouth(*frames.shape[1:3]))
    kept = frames[mouth].copy()
    frames[slice(None) if outside else mouth] = _GREY
    if outside:
        frames[mouth] = kept
    return replace(window, frames=frames)
