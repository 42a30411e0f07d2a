"""A person filmed: the drawing turned into frames, before and after the camera's noise."""

from dataclasses import dataclass

import cv2
import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME, MARGIN, SCALE, Canvas
from lipfd_jax.tools.synthetic.difficulty import Difficulty
from lipfd_jax.tools.synthetic.face import draw_glasses, draw_head
from lipfd_jax.tools.synthetic.features import draw_eyes, draw_mouth, mouth_box
from lipfd_jax.tools.synthetic.identity import Identity
from lipfd_jax.tools.synthetic.motion import Motion, draw_motion, inverse_maps
from lipfd_jax.tools.synthetic.room import draw_room


@dataclass(frozen=True)
class Footage:
    """One take: everything about it but what the mouth does."""

    person: Identity
    room: np.ndarray  # (224, 224, 3) float32
    head: Canvas  # without eyes and mouth
    motion: Motion
    blur: float  # sigma of the lens in pixels
    noise: float  # sigma of the sensor in grey levels


def draw_footage(
    person: Identity,
    look: np.random.Generator,
    take: np.random.Generator,
    frames: int,
    difficulty: Difficulty,
) -> Footage:
    """Films a person: `look` decides room and skin, `take` the motion and the camera."""
    room = _downscale(draw_room(person, look).pixels[..., :3])
    return Footage(
        person=person,
        room=room,
        head=draw_head(person, look),
        motion=draw_motion(take, frames),
        blur=take.uniform(*difficulty.camera_blur),
        noise=take.uniform(*difficulty.camera_noise),
    )


@dataclass(frozen=True)
class Pose:
    """A frame of the footage before anyone speaks in it."""

    head: Canvas  # with eyes, without a mouth
    maps: tuple[np.ndarray, np.ndarray]  # where on the canvas each pixel of the frame comes from
    gain: float


def pose(footage: Footage, frame: int) -> Pose:
    """All of a frame that does not depend on the mouth."""
    person, motion = footage.person, footage.motion
    head = footage.head.copy()
    draw_eyes(head, person, motion.lids[frame], tuple(motion.gaze[frame]))
    if person.glasses:
        draw_glasses(head, person)
    across, down = ((units + MARGIN) * SCALE - 0.5 for units in inverse_maps(motion, frame))
    return Pose(head, (across, down), motion.gain[frame])


def clean_frame(footage: Footage, pose: Pose, mouth: tuple[float, float]) -> np.ndarray:
    """What the lens sees: mouth = (opening, spread) -> (224, 224, 3) float32, 0..255."""
    mouthless = pose.head.part(*mouth_box(footage.person))
    before = mouthless.pixels.copy()
    draw_mouth(pose.head, footage.person, *mouth)
    head = in_frame(pose, pose.head.pixels)
    mouthless.pixels[:] = before
    seen = (footage.room * (1 - head[..., 3:]) + head[..., :3]) * pose.gain
    return np.clip(cv2.GaussianBlur(seen, (0, 0), footage.blur) if footage.blur else seen, 0, 255)


def in_frame(pose: Pose, drawn: np.ndarray) -> np.ndarray:
    """What is drawn on the head's canvas as it lies in the frame: -> (224, 224[, channels]) float32."""
    return cv2.remap(drawn, *pose.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def sensor_noise(footage: Footage, rng: np.random.Generator) -> np.ndarray:
    """One frame's noise, the same in all channels (the encoder keeps little of its colour): (224, 224, 1)."""
    return footage.noise * rng.standard_normal((FRAME, FRAME, 1), np.float32)


def _downscale(picture: np.ndarray) -> np.ndarray:
    edge = MARGIN * SCALE
    return cv2.resize(picture[edge:-edge, edge:-edge], (FRAME, FRAME), interpolation=cv2.INTER_AREA)
