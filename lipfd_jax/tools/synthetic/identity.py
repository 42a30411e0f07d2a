"""Who a drawn person is: colours and proportions of the face, the voice, and the room around them."""

from dataclasses import dataclass

import numpy as np

_SKINS = [(247, 214, 190), (236, 190, 160), (222, 170, 130), (190, 134, 96), (141, 92, 64), (96, 62, 45)]
_HAIRS = [
    (32, 26, 24),
    (58, 40, 30),
    (92, 62, 40),
    (140, 98, 58),
    (196, 160, 104),
    (150, 70, 40),
    (150, 148, 146),
]
_IRISES = [(70, 46, 28), (98, 66, 36), (84, 110, 66), (82, 116, 150), (112, 128, 136)]
STYLES = ("short", "parted", "long", "curly", "shaved")


@dataclass(frozen=True)
class Identity:
    """Colours are RGB 0..255; lengths are pixels of the 224-pixel frame; the face looks at x = 112."""

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lip: np.ndarray
    style: str  # of the hair, one of STYLES
    half_width: float  # of the face
    chin: float  # its lowest row
    squareness: float  # exponent of the outline, 2 is an ellipse
    taper: float  # how much narrower the jaw is, as a fraction
    eye_gap: float  # from the middle of the face to an eye
    eye_row: float
    eye_width: float  # half of it
    eye_height: float  # half of it
    brow_thickness: float
    brow_tilt: float  # radians
    nose_width: float
    nose_row: float  # its lowest
    mouth_row: float
    mouth_width: float  # half of it, at rest
    upper_lip: float
    lower_lip: float
    gape: float  # rows between the lips when fully open
    texture: float  # contrast of the skin, fraction
    stubble: float  # 0..1
    beard: bool
    freckles: int
    glasses: bool
    light: float  # from the left (-1) or the right (1)
    pitch: float  # of the voice, Hz
    tract: float  # formants relative to the tables', 1 = a long vocal tract
    loudness: float  # dB relative to full scale
    hiss: float  # noise floor of the recording, dB relative to full scale


def draw_identity(rng: np.random.Generator) -> Identity:
    """A random person; equal generators give equal people."""
    skin = _between(_SKINS, rng) * rng.uniform(0.95, 1.04)
    tract = rng.uniform(1.0, 1.2)
    beard = bool(rng.random() < 0.2)
    return Identity(
        skin=np.clip(skin, 0, 255),
        hair=np.clip(np.array(_HAIRS[rng.integers(len(_HAIRS))]) * rng.uniform(0.85, 1.15), 0, 255),
        iris=np.array(_IRISES[rng.integers(len(_IRISES))]) * rng.uniform(0.85, 1.15),
        lip=skin * (0.84, 0.6, 0.6) * rng.uniform(0.85, 1.05) + rng.uniform(0, 1, 3) * (30, 0, 12),
        style=str(rng.choice(STYLES)),
        half_width=rng.uniform(53, 62),
        chin=rng.uniform(152, 162),
        squareness=rng.uniform(2.05, 2.6),
        taper=rng.uniform(0.1, 0.28),
        eye_gap=rng.uniform(23.5, 28),
        eye_row=rng.uniform(69, 75),
        eye_width=rng.uniform(9.5, 12.5),
        eye_height=rng.uniform(4.2, 6.5),
        brow_thickness=rng.uniform(2.0, 4.8),
        brow_tilt=rng.uniform(-0.12, 0.16),
        nose_width=rng.uniform(9, 15),
        nose_row=rng.uniform(97, 103),
        mouth_row=rng.uniform(120, 126),
        mouth_width=rng.uniform(18, 24.5),
        upper_lip=rng.uniform(2.8, 5.5),
        lower_lip=rng.uniform(4.0, 7.5),
        gape=rng.uniform(11, 16),
        texture=rng.uniform(0.025, 0.05),
        stubble=float(rng.random() < 0.35) * rng.uniform(0.3, 1.0),
        beard=beard,
        freckles=int(rng.integers(20, 70)) if rng.random() < 0.25 else 0,
        glasses=bool(rng.random() < 0.2),
        light=rng.uniform(-1, 1),
        pitch=110 * (tract / 1.05) ** 4 * rng.uniform(0.85, 1.2),
        tract=tract,
        loudness=rng.uniform(-30, -24),
        hiss=rng.uniform(-62, -50),
    )


def _between(colours: list[tuple[int, int, int]], rng: np.random.Generator) -> np.ndarray:
    """A colour somewhere along a list of them."""
    where = rng.uniform(0, len(colours) - 1)
    table = np.array(colours, np.float64)
    return np.array([np.interp(where, range(len(colours)), table[:, channel]) for channel in range(3)])
