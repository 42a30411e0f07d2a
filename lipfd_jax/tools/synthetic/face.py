"""Drawn people: a random face in front of a wall, looking at the camera."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME, MARGIN, SCALE, Canvas, draw_grain, make_oval, move_points

MIDDLE = FRAME / 2
_SKINS = np.array([(247, 214, 190), (222, 170, 130), (190, 134, 96), (141, 92, 64), (96, 62, 45)], float)
_HAIRS = np.array([(32, 26, 24), (92, 62, 40), (140, 98, 58), (196, 160, 104), (150, 148, 146)], float)
_IRISES = np.array([(70, 46, 28), (84, 110, 66), (82, 116, 150)], float)


@dataclass(frozen=True)
class Person:
    """Looks and voice. Colours are RGB 0..255, lengths pixels of the frame; the face looks at x = 112."""

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lip: np.ndarray
    half_width: float  # half the face's width
    chin: float  # its lowest row
    taper: float  # fraction by which the jaw is narrower
    eye_gap: float  # from the middle of the face to an eye
    eye_row: float
    nose_row: float  # its lowest
    mouth_row: float
    mouth_width: float  # half of it, at rest
    upper_lip: float
    lower_lip: float
    gape: float  # rows between the lips when fully open
    texture: float  # contrast of the skin, fraction
    light: float  # from the left (-1) or the right (1)
    pitch: float  # the voice's, Hz
    loudness: float  # dB relative to full scale
    hiss: float  # noise floor of the recording, dB relative to full scale


def draw_person(rng: np.random.Generator) -> Person:
    """Draws a random person; equal generators give equal people."""
    position = rng.uniform(0, len(_SKINS) - 1)
    skin = np.array([np.interp(position, range(len(_SKINS)), channel) for channel in _SKINS.T])
    return Person(
        skin=skin,
        hair=_HAIRS[rng.integers(len(_HAIRS))] * rng.uniform(0.85, 1.15),
        iris=_IRISES[rng.integers(len(_IRISES))] * rng.uniform(0.85, 1.15),
        lip=skin * (0.84, 0.6, 0.6) * rng.uniform(0.85, 1.05) + rng.uniform(0, 1, 3) * (30, 0, 12),
        half_width=rng.uniform(53, 62),
        chin=rng.uniform(152, 162),
        taper=rng.uniform(0.1, 0.28),
        eye_gap=rng.uniform(23.5, 28),
        eye_row=rng.uniform(69, 75),
        nose_row=rng.uniform(97, 103),
        mouth_row=rng.uniform(120, 126),
        mouth_width=rng.uniform(18, 24.5),
        upper_lip=rng.uniform(2.8, 5.5),
        lower_lip=rng.uniform(4.0, 7.5),
        gape=rng.uniform(11, 16),
        texture=rng.uniform(0.025, 0.05),
        light=rng.uniform(-1, 1),
        pitch=rng.uniform(90, 230),
        loudness=rng.uniform(-30, -24),
        hiss=rng.uniform(-62, -50),
    )


def draw_portrait(person: Person, rng: np.random.Generator) -> Canvas:
    """Draws a person without eyes and mouth, in front of a wall."""
    side = (FRAME + 2 * MARGIN) * SCALE
    slope = np.linspace(-1, 1, side, dtype=np.float32)
    wall = rng.uniform(60, 190) + rng.uniform(-35, 35, 3)
    shade = 1 + rng.uniform(-0.2, 0.2) * slope[:, None] + rng.uniform(-0.2, 0.2) * slope[None]
    canvas = Canvas((wall * shade[..., None]).astype(np.float32))
    _draw_hair(canvas, person, rng)
    _draw_body(canvas, person, rng)
    face = canvas.cover(_outline_face(person))
    for way in (-1, 1):
        ear = (MIDDLE + way * (person.half_width - 1), person.eye_row + 14)
        canvas.fill(make_oval(ear, 8, 16), 0.88 * person.skin)
    canvas.blend(face, person.skin)
    _draw_light(canvas, person, face, slope)
    _draw_nose(canvas, person)
    _draw_brows(canvas, person)
    hairline = make_oval((MIDDLE, 8), person.half_width, 31)
    canvas.blend(face * canvas.cover(hairline, 1.5), person.hair)
    pores = draw_grain(rng, face.shape, 0.9) + 0.6 * draw_grain(rng, face.shape, 4.0)
    canvas.pixels *= (1 + person.texture * (0.3 + 0.7 * face) * pores)[..., None]
    return canvas


def _draw_body(canvas: Canvas, person: Person, rng: np.random.Generator) -> None:
    cloth, neck, shoulder = rng.uniform(30, 220, 3), 0.66 * person.half_width, person.chin + 30
    torso = [(neck, shoulder - 8), (92, shoulder + 16), (150, 300)]
    canvas.fill(_mirror(torso), cloth, softness=0.6)
    throat = [(neck, person.chin - 45), (neck, shoulder - 6), (0, shoulder + 18)]
    canvas.fill(_mirror(throat), 0.8 * person.skin, softness=0.6)
    shadow = make_oval((MIDDLE, person.chin), neck, 16)
    canvas.fill(shadow, 0.55 * person.skin, opacity=0.6, softness=5)


def _draw_hair(canvas: Canvas, person: Person, rng: np.random.Generator) -> None:
    """Draws the hair behind the face, of a length of its own, in lighter and darker strands."""
    down = rng.uniform(62, 104)
    hair = canvas.cover(make_oval((MIDDLE, 0.9 * down), person.half_width + rng.uniform(7, 13), down), 1)
    strands = 0.8 + 0.12 * draw_grain(rng, (1, hair.shape[1]), 2.0)
    canvas.pixels += hair[..., None] * (strands[..., None] * np.float32(person.hair) - canvas.pixels)


def _outline_face(person: Person) -> np.ndarray:
    """Returns the outline (96, 2) from the crown to the chin: a rounded square, narrower at the jaw."""
    angle, crown = np.linspace(0, 2 * np.pi, 96, endpoint=False), 12.0
    x, y = (np.sign(v) * np.abs(v) ** 0.87 for v in (np.cos(angle), np.sin(angle)))
    narrow = 1 - person.taper * np.clip(y, 0, 1) ** 1.5
    half = (person.chin - crown) / 2
    return np.stack([MIDDLE + person.half_width * x * narrow, crown + half * (1 + y)], -1)


def _draw_light(canvas: Canvas, person: Person, face: np.ndarray, slope: np.ndarray) -> None:
    """Draws light from one side, darker edges, sunken eyes and red cheeks."""
    inner = canvas.cover(make_oval((MIDDLE, 84), 0.8 * person.half_width, 62), 10)
    unlit = np.clip(-2 * person.light * slope[None], 0, 1)
    canvas.pixels *= (1 - face * (0.22 * (1 - inner) + 0.16 * unlit))[..., None]
    for way in (-1, 1):
        socket = make_oval((MIDDLE + way * person.eye_gap, person.eye_row), 17, 12)
        canvas.fill(socket, 0.72 * person.skin, opacity=0.55, softness=3.5)
        cheek = make_oval((MIDDLE + way * 0.58 * person.half_width, person.nose_row), 14, 10)
        canvas.fill(cheek, person.skin * (1.0, 0.8, 0.78), opacity=0.35, softness=6)


def _draw_nose(canvas: Canvas, person: Person) -> None:
    side, low = 1 if person.light < 0 else -1, person.nose_row
    ridge = [(5 * side, person.eye_row + 2), (6 * side, low - 12), (11 * side, low - 4)]
    canvas.blend(0.5 * canvas.cover_lines([move_points(ridge, MIDDLE, 0)], 2.5, 1.6), 0.68 * person.skin)
    bottom = [(-11, -3), (-9, 0), (-4, 0.5), (0, 2), (4, 0.5), (9, 0), (11, -3)]
    canvas.blend(0.75 * canvas.cover_lines([move_points(bottom, MIDDLE, low)], 1.5, 0.5), 0.6 * person.skin)
    for x in (-5, 5):
        canvas.fill(make_oval((MIDDLE + x, low - 0.5), 2.6, 1.5), 0.3 * person.skin, softness=0.4)


def _draw_brows(canvas: Canvas, person: Person) -> None:
    x = np.linspace(-1, 1, 16)
    for way in (-1, 1):
        line = np.stack([MIDDLE + way * (person.eye_gap + 14 * x), person.eye_row - 11 - 3 * (1 - x**2)], -1)
        canvas.blend(0.8 * canvas.cover_lines([line], 3.0, 0.7), 0.75 * person.hair)


def _mirror(points: list[tuple[float, float]]) -> np.ndarray:
    """Returns a closed polygon from points of its right half, relative to the middle of the face."""
    right = np.array(points)
    return move_points(np.vstack([right, right[::-1] * (-1, 1)]), MIDDLE, 0)
