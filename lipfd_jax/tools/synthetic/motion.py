"""How the head moves during a clip: slow turns, blinks, glances and a light that is never quite steady."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME

FPS = 25


@dataclass(frozen=True)
class Motion:
    """One value per frame; lengths in pixels of the frame."""

    shift: np.ndarray  # (F, 2) of the head, right and down
    roll: np.ndarray  # (F,) radians
    zoom: np.ndarray  # (F,) about 1.16, which with `shift` puts the face where AVLips has it
    turn: np.ndarray  # (F, 2) how far the middle of the face moves against the head, right and down
    lids: np.ndarray  # (F,) 0 shut .. 1 open
    gaze: np.ndarray  # (F, 2)
    gain: np.ndarray  # (F,) of the exposure, about 1


def draw_motion(rng: np.random.Generator, frames: int) -> Motion:
    """A random motion of so many frames at 25 a second."""
    return Motion(
        shift=_drift(rng, frames, (-5, -14), (5, -4), (2.5, 2.0)),
        roll=rng.uniform(-0.05, 0.05) + _sway(rng, frames, 0.03),
        zoom=rng.uniform(1.08, 1.24) + _sway(rng, frames, 0.01),
        turn=_drift(rng, frames, (-3, -1.8), (3, 1.8), (2.5, 1.2)),
        lids=_blinks(rng, frames),
        gaze=_glances(rng, frames),
        gain=rng.uniform(0.82, 1.1) * (1 + _sway(rng, frames, 0.025) + rng.normal(0, 0.003, frames)),
    )


def inverse_maps(motion: Motion, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Where on the drawing each pixel of a frame comes from: x and y in units, (224, 224) float32 each."""
    cosine, sine = np.cos(motion.roll[frame]), np.sin(motion.roll[frame])
    zoom, centre = motion.zoom[frame], FRAME / 2
    x = _COLUMNS - centre - motion.shift[frame, 0]
    y = _ROWS - centre - motion.shift[frame, 1]
    across = (cosine * x + sine * y) / zoom + centre - motion.turn[frame, 0] * _BULGE
    down = (cosine * y - sine * x) / zoom + centre - motion.turn[frame, 1] * _BULGE
    return across.astype(np.float32), down.astype(np.float32)


_COLUMNS = np.arange(FRAME, dtype=np.float32)[None] + 0.5
_ROWS = np.arange(FRAME, dtype=np.float32)[:, None] + 0.5
# the middle of the face is nearest to the camera and moves most when the head turns
_BULGE = np.exp(-((_COLUMNS - 112) ** 2 + (_ROWS - 94) ** 2) / (2 * 45**2)).astype(np.float32)


def _sway(rng: np.random.Generator, frames: int, size: float) -> np.ndarray:
    """Three slow waves (1.2 to 5 s long) of random phase, together of standard deviation about `size`."""
    seconds = np.arange(frames) / FPS
    waves = [np.sin(2 * np.pi * (seconds * rng.uniform(0.2, 0.8) + rng.random())) for _ in range(3)]
    return size * np.sum(waves, 0) / np.sqrt(1.5)


def _drift(rng: np.random.Generator, frames: int, low: tuple, high: tuple, sway: tuple) -> np.ndarray:
    """A place (right, down) somewhere between low and high, and slow movement about it: (frames, 2)."""
    return rng.uniform(low, high) + np.stack([_sway(rng, frames, size) for size in sway], -1)


def _blinks(rng: np.random.Generator, frames: int) -> np.ndarray:
    lids, at = np.full(frames, rng.uniform(0.85, 1.0)), rng.uniform(0.2, 2.5) * FPS
    while at < frames:
        lids *= 1 - np.exp(-(((np.arange(frames) - at) / 1.8) ** 2))
        at += rng.uniform(1.5, 4.0) * FPS
    return lids


def _glances(rng: np.random.Generator, frames: int) -> np.ndarray:
    """The eyes rest on a point and jump to the next."""
    starts = np.cumsum(rng.uniform(0.4, 1.8, frames // 10 + 2) * FPS)
    points = rng.normal(0, 1, (starts.size + 1, 2)) * (1.6, 0.6)
    return np.clip(points[np.searchsorted(starts, np.arange(frames))], -3.5, 3.5)
