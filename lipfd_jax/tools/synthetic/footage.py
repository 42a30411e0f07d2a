"""Filmed people and their forgeries: frames of a moving camera, and mouths redrawn for other speech."""

from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME, MARGIN, SCALE, Canvas, make_oval
from lipfd_jax.tools.synthetic.face import Person, draw_portrait
from lipfd_jax.tools.synthetic.mouth import draw_eyes, draw_mouth, mouth_box

FPS = 25


@dataclass(frozen=True)
class Difficulty:
    """Forger and camera; lengths are pixels of the 224-pixel frame. Fixed before any training.

    A higher resolution, a softer blend, or more camera blur and noise makes the forgeries harder to see.
    """

    mouth_resolution: float = 0.25  # the redrawn mouth's resolution as a fraction of the frame's
    blend_softness: float = 3.0  # sigma of the mask that blends the redrawn mouth into the frame
    camera_noise: tuple[float, float] = (1.0, 3.0)  # range of a clip's sigma, grey levels of 255
    camera_blur: tuple[float, float] = (
        0.25,
        0.55,
    )  # of a clip's sigma, so that sharpness shows less

    def __post_init__(self) -> None:
        """Refuses values that no frame can be drawn with."""
        if not 0 < self.mouth_resolution <= 1:
            raise ValueError(f"mouth_resolution={self.mouth_resolution}: expected a fraction in (0, 1]")
        if self.blend_softness < 0:
            raise ValueError(f"blend_softness={self.blend_softness}: expected pixels, at least 0")
        for name in ("camera_noise", "camera_blur"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name}={low, high}: expected a range (low, high) with 0 <= low <= high")


@dataclass(frozen=True)
class Footage:
    """A take: everything about it but the mouth."""

    person: Person
    portrait: Canvas  # without eyes and mouth
    shift: np.ndarray  # (F, 2) shift of the frame, right and down, in pixels
    roll: np.ndarray  # (F,) radians
    zoom: np.ndarray  # (F,) about 1.16, which with `shift` puts the face where AVLips has it
    turn: np.ndarray  # (F, 2) pixels that the middle of the face moves against the rest, right and down
    lids: np.ndarray  # (F,) 0 shut .. 1 open
    gain: np.ndarray  # (F,) exposure, about 1
    blur: float  # sigma of the lens in pixels
    noise: float  # sigma of the sensor in grey levels


def draw_footage(
    person: Person, look: np.random.Generator, take: np.random.Generator, frames: int, difficulty: Difficulty
) -> Footage:
    """Films a person: `look` decides wall, clothes and skin, `take` the motion and the camera."""
    return Footage(
        person,
        draw_portrait(person, look),
        shift=take.uniform((-5, -14), (5, -4)) + np.stack([_sway(take, frames, s) for s in (2.5, 2.0)], -1),
        roll=take.uniform(-0.05, 0.05) + _sway(take, frames, 0.03),
        zoom=take.uniform(1.08, 1.24) + _sway(take, frames, 0.01),
        turn=take.uniform((-3, -1.8), (3, 1.8)) + np.stack([_sway(take, frames, s) for s in (2.5, 1.2)], -1),
        lids=_blink(take, frames),
        gain=take.uniform(0.82, 1.1) * (1 + _sway(take, frames, 0.025) + take.normal(0, 0.003, frames)),
        blur=take.uniform(*difficulty.camera_blur),
        noise=take.uniform(*difficulty.camera_noise),
    )


def draw_frame(footage: Footage, frame: int, mouth: tuple[float, float]) -> np.ndarray:
    """Draws what the lens sees: mouth (opening, spread) -> (224, 224, 3) float32, 0..255."""
    canvas = footage.portrait.copy()
    draw_eyes(canvas, footage.person, footage.lids[frame])
    draw_mouth(canvas, footage.person, *mouth)
    seen = project(footage, frame, canvas.pixels) * np.float32(footage.gain[frame])
    return np.clip(cv2.GaussianBlur(seen, (0, 0), footage.blur) if footage.blur else seen, 0, 255)


def project(footage: Footage, frame: int, drawn: np.ndarray) -> np.ndarray:
    """Returns a drawing (512, 512[, channels]) as the camera sees it: (224, 224[, channels]) float32."""
    cosine, sine = np.cos(footage.roll[frame]), np.sin(footage.roll[frame])
    zoom, centre = footage.zoom[frame], FRAME / 2
    x = _COLUMNS - centre - footage.shift[frame, 0]
    y = _ROWS - centre - footage.shift[frame, 1]
    across = (cosine * x + sine * y) / zoom + centre - footage.turn[frame, 0] * _BULGE
    down = (cosine * y - sine * x) / zoom + centre - footage.turn[frame, 1] * _BULGE
    x, y = (((units + MARGIN) * SCALE - 0.5).astype(np.float32) for units in (across, down))
    return cv2.remap(drawn, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def draw_noise(footage: Footage, rng: np.random.Generator) -> np.ndarray:
    """Draws a frame's noise (224, 224, 1), equal in all channels: the encoder keeps little of its colour."""
    return footage.noise * rng.standard_normal((FRAME, FRAME, 1), np.float32)


def forged_region(footage: Footage, difficulty: Difficulty) -> np.ndarray:
    """Returns the forger's mask (512, 512) on the canvas: 1 over all that mouths cover, softly down to 0."""
    left, top, right, bottom = mouth_box(footage.person)
    reach = 1.5 * difficulty.blend_softness
    centre = ((left + right) / 2, (top + bottom) / 2)
    shape = make_oval(centre, (right - left) / 2 + reach, (bottom - top) / 2 + reach)
    drawn = footage.portrait.cover(shape, difficulty.blend_softness)
    return np.where(drawn < 1 / 255, 0, drawn).astype(np.float32)


def forge(frame: np.ndarray, redrawn: np.ndarray, mask: np.ndarray, difficulty: Difficulty) -> np.ndarray:
    """Replaces the mouth of a filmed frame.

    Args:
      frame: (224, 224, 3) float32, the footage with its own mouth.
      redrawn: the same frame with the mouth for the other speech, without sensor noise.
      mask: (224, 224) float32, 1 where the forger's frame replaces the footage.
      difficulty: sets the resolution of the redrawn mouth.

    Returns:
      (224, 224, 3) float32, equal to `frame` wherever the mask is 0.
    """
    side = max(1, round(FRAME * difficulty.mouth_resolution))
    small = cv2.resize(redrawn, (side, side), interpolation=cv2.INTER_AREA)
    low = cv2.resize(small, (FRAME, FRAME), interpolation=cv2.INTER_CUBIC)
    return frame + mask[..., None] * (np.clip(low, 0, 255) - frame)


_COLUMNS = np.arange(FRAME, dtype=np.float32)[None] + 0.5
_ROWS = np.arange(FRAME, dtype=np.float32)[:, None] + 0.5
# the middle of the face is nearest to the camera and moves most when the head turns
_BULGE = np.exp(-((_COLUMNS - 112) ** 2 + (_ROWS - 94) ** 2) / (2 * 45**2)).astype(np.float32)


def _sway(rng: np.random.Generator, frames: int, size: float) -> np.ndarray:
    """Draws (frames,) a sum of three slow waves (1.2 to 5 s long), of standard deviation about `size`."""
    seconds = np.arange(frames) / FPS
    waves = [np.sin(2 * np.pi * (seconds * rng.uniform(0.2, 0.8) + rng.random())) for _ in range(3)]
    return size * np.sum(waves, 0) / np.sqrt(1.5)


def _blink(rng: np.random.Generator, frames: int) -> np.ndarray:
    lids, at = np.full(frames, rng.uniform(0.85, 1.0)), rng.uniform(0.2, 2.5) * FPS
    while at < frames:
        lids *= 1 - np.exp(-(((np.arange(frames) - at) / 1.8) ** 2))
        at += rng.uniform(1.5, 4.0) * FPS
    return lids
