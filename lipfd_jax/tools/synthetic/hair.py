"""Hair on the head, over the eyes and on the jaw."""

import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME, Canvas, grain, moved, oval
from lipfd_jax.tools.synthetic.identity import Identity

_MIDDLE = FRAME / 2


def draw_brows(canvas: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Two rows of short hairs over the eyes."""
    for side in (-1, 1):
        x = np.linspace(-1, 1, 26)
        lift = person.brow_tilt * x * 14 - 3.0 * (1 - x**2)
        across = _MIDDLE + side * (person.eye_gap + 15 * x)
        row = person.eye_row - person.eye_height - 8 + lift
        lean = person.brow_thickness * rng.uniform(0.7, 1.2, x.size) * np.sqrt(1.05 - x**2)
        strokes = [
            np.array([(a, r + 0.6 * t), (a + side * rng.uniform(1, 4), r - 0.6 * t)])
            for a, r, t in zip(across, row, lean, strict=True)
        ]
        above, below = (np.stack([across, row + way * lean / 2], -1) for way in (-1, 1))
        body = np.vstack([above, below[::-1]])
        canvas.fill(body, 0.8 * person.hair, opacity=0.5, softness=0.7)
        canvas.blend(0.85 * canvas.lines(strokes, width=0.6), 0.75 * person.hair)


def draw_beard(canvas: Canvas, person: Identity, face: np.ndarray, rng: np.random.Generator) -> None:
    """Hair on the jaw and around the mouth; `face` is the face's coverage."""
    jaw = canvas.mask(oval((_MIDDLE, person.chin - 12), 0.85 * person.half_width, 30), softness=4)
    bare = canvas.mask(oval((_MIDDLE, person.mouth_row - 20), 44, 14), softness=4)
    strands = 0.75 + 0.2 * grain(rng, face.shape, sigma=0.9)
    canvas.blend(np.clip(face * jaw * (1 - bare) * strands, 0, 1) * 0.85, 0.8 * person.hair)


def draw_hair(canvas: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """A cap above the hairline: its lower edge says whether it is short, parted or curly."""
    x = np.linspace(-1, 1, 40)
    part = rng.uniform(-0.5, 0.5) if person.style == "parted" else 0.0
    rise = {"parted": 16, "short": 10, "long": 14, "curly": 8}[person.style]
    line = 34 + rng.uniform(-4, 5) - rise * np.exp(-(((x - part) / 0.45) ** 2)) + 34 * np.abs(x) ** 5
    line = line + rng.normal(0, 1.5 if person.style == "curly" else 0.6, x.size)
    lower = np.stack([_MIDDLE + (person.half_width - 0.5) * x, line], -1)
    top = -2 + rng.uniform(-5, 6) + 34 * np.abs(x) ** 2.6
    upper = np.stack([_MIDDLE + (person.half_width + 3) * x, top], -1)[::-1]
    cap = canvas.mask(np.vstack([lower, upper]), softness=0.7)
    canvas.blend(cap, person.hair)
    _strands(canvas, cap, person, rng)


def draw_back_hair(canvas: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Hair behind the face, down to the shoulders or in curls around the head."""
    if person.style == "long":
        shape = oval((_MIDDLE, 98), person.half_width + rng.uniform(9, 15), 104)
        mask = canvas.mask(shape, softness=1)
        mask *= 1 - canvas.mask(np.array([(84, 120), (140, 120), (158, 230), (66, 230)]), softness=3)
    else:
        angle = np.linspace(np.pi * 0.9, np.pi * 2.1, 22)
        shape = [(_MIDDLE + (person.half_width + 6) * np.cos(a), 74 + 68 * np.sin(a)) for a in angle]
        mask = np.max([canvas.mask(oval(point, *rng.uniform(9, 15, 2)), softness=0.8) for point in shape], 0)
    canvas.blend(mask, 0.8 * person.hair)
    _strands(canvas, mask, person, rng)


def _strands(canvas: Canvas, mask: np.ndarray, person: Identity, rng: np.random.Generator) -> None:
    """Lighter and darker locks that run from the parting outwards."""
    for shade in (0.6, 1.35):
        lines = []
        for _ in range(90):
            x, length = rng.uniform(-75, 75), rng.uniform(10, 40)
            y = rng.uniform(-12, 130 if person.style == "long" else 50)
            lock = [(x, y), (1.12 * x, y + 0.5 * length), (1.2 * x, y + length)]
            lines.append(moved(lock, _MIDDLE, 0))
        strands = canvas.lines(lines, width=0.7, softness=0.35)
        canvas.blend(0.5 * mask * strands, np.clip(person.hair * shade, 0, 255))
