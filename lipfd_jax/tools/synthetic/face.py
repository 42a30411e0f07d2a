"""The parts of the head that keep their shape: skull, skin, ears, nose, hair and glasses."""

import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME, Canvas, grain, moved, oval
from lipfd_jax.tools.synthetic.hair import draw_back_hair, draw_beard, draw_brows, draw_hair
from lipfd_jax.tools.synthetic.identity import Identity

_MIDDLE = FRAME / 2
_CROWN = 12.0  # row of the top of the skull


def draw_head(person: Identity, rng: np.random.Generator) -> Canvas:
    """The head without eyes and mouth, on a transparent canvas, looking straight ahead."""
    canvas = Canvas.empty()
    if person.style in ("long", "curly"):
        draw_back_hair(canvas, person, rng)
    _ears(canvas, person)
    face = canvas.mask(_outline(person))
    canvas.blend(face, person.skin)
    _modelling(canvas, person, face)
    _nose(canvas, person)
    _skin_detail(canvas, person, face, rng)
    draw_brows(canvas, person, rng)
    if person.beard:
        draw_beard(canvas, person, face, rng)
    if person.style != "shaved":
        draw_hair(canvas, person, rng)
    else:
        canvas.blend(0.35 * face * canvas.mask(oval((_MIDDLE, 18), 70, 24), softness=4), person.hair)
    return canvas


def draw_glasses(canvas: Canvas, person: Identity) -> None:
    """A frame around each eye, over whatever is drawn there."""
    for side in (-1, 1):
        x = _MIDDLE + side * person.eye_gap
        rim = oval((x, person.eye_row + 1), person.eye_width + 6, person.eye_width + 1)
        hinge, ear = x + side * (person.eye_width + 6), _MIDDLE + side * person.half_width
        arm = np.array([(hinge, person.eye_row), (ear, person.eye_row - 3)])
        canvas.blend(canvas.lines([np.vstack([rim, rim[:1]]), arm], width=1.6), 0.45 * person.hair)
    reach = person.eye_gap - person.eye_width - 5.5
    bridge = moved([(-reach, 0), (0, -2.5), (reach, 0)], _MIDDLE, person.eye_row)
    canvas.blend(canvas.lines([bridge], width=1.6), 0.45 * person.hair)


def _outline(person: Identity) -> np.ndarray:
    """The face from crown to chin: a rounded square that narrows towards the jaw."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    power = 2 / person.squareness
    x, y = (np.sign(v) * np.abs(v) ** power for v in (np.cos(angle), np.sin(angle)))
    narrow = 1 - person.taper * np.clip(y, 0, 1) ** 1.5
    half_height = (person.chin - _CROWN) / 2
    return np.stack([_MIDDLE + person.half_width * x * narrow, _CROWN + half_height * (1 + y)], -1)


def _modelling(canvas: Canvas, person: Identity, face: np.ndarray) -> None:
    """Light from one side, darker edges, sunken eyes, red cheeks and a shadow under the lower lip."""
    height, width = face.shape
    across = np.linspace(-1, 1, width, dtype=np.float32)[None]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    inner = canvas.mask(oval((_MIDDLE, 84), 0.8 * person.half_width, 62), softness=10)
    unlit = np.clip(-2 * person.light * across, 0, 1)
    canvas.shade(1 - face * (0.22 * (1 - inner) + 0.16 * unlit + 0.05 * down))
    for side in (-1, 1):
        eye = (_MIDDLE + side * person.eye_gap, person.eye_row)
        socket = canvas.mask(oval(eye, person.eye_width + 6, person.eye_height + 7), softness=3.5)
        canvas.blend(0.55 * face * socket, 0.72 * person.skin)
        cheek = oval((_MIDDLE + side * 0.58 * person.half_width, person.nose_row + 1), 14, 10)
        canvas.blend(0.35 * face * canvas.mask(cheek, softness=6), person.skin * (1.0, 0.8, 0.78))
        fold = [(side * person.nose_width, -3), (side * 20, 9), (side * 27, 20)]
        fold = moved(fold, _MIDDLE, person.nose_row)
        canvas.blend(0.5 * canvas.lines([fold], width=1.2, softness=0.9), 0.7 * person.skin)
    under = oval((_MIDDLE, person.mouth_row + person.lower_lip + 10), 13, 3)
    canvas.fill(under, 0.7 * person.skin, opacity=0.45, softness=2)
    canvas.fill(oval((_MIDDLE + 8 * person.light, 40), 22, 10), (255, 250, 240), opacity=0.12, softness=8)


def _ears(canvas: Canvas, person: Identity) -> None:
    for side in (-1, 1):
        x = _MIDDLE + side * (person.half_width - 1)
        canvas.fill(oval((x, person.eye_row + 14), 8, 16, tilt=0.15 * side), 0.88 * person.skin)
        canvas.fill(oval((x + 2 * side, person.eye_row + 14), 3.5, 10), 0.65 * person.skin, softness=1)


def _nose(canvas: Canvas, person: Identity) -> None:
    half, low = person.nose_width, person.nose_row
    dark, side = 0.68 * person.skin, 1 if person.light < 0 else -1
    ridge = [(0.45 * half * side, person.eye_row - low + 2), (0.5 * half * side, -12), (half * side, -4)]
    canvas.blend(0.5 * canvas.lines([moved(ridge, _MIDDLE, low)], width=2.5, softness=1.6), dark)
    canvas.fill(oval((_MIDDLE - 1.5 * side, low - 7), 4, 6), (255, 248, 238), opacity=0.22, softness=2.5)
    bottom = [(-1, -3), (-0.85, 0), (-0.4, 0.5), (0, 2), (0.4, 0.5), (0.85, 0), (1, -3)]
    bottom = moved([(half * x, y) for x, y in bottom], _MIDDLE, low)
    canvas.blend(0.75 * canvas.lines([bottom], width=1.5, softness=0.5), 0.6 * person.skin)
    for x in (-0.45, 0.45):
        nostril = oval((_MIDDLE + x * half, low - 0.5), 2.6, 1.5)
        canvas.fill(nostril, 0.3 * person.skin, opacity=0.9, softness=0.4)


def _skin_detail(canvas: Canvas, person: Identity, face: np.ndarray, rng: np.random.Generator) -> None:
    """Pores, freckles and stubble: fine texture, which a redrawn mouth loses."""
    pores = grain(rng, face.shape, sigma=0.9) + 0.6 * grain(rng, face.shape, sigma=4.0)
    canvas.shade(1 + person.texture * face * pores)
    for _ in range(person.freckles):
        spot = (_MIDDLE + rng.normal(0, 24), person.nose_row + rng.normal(-2, 14))
        mark = canvas.mask(oval(spot, *rng.uniform(0.5, 1.1, 2)))
        canvas.blend(0.7 * face * mark, person.skin * (0.72, 0.58, 0.5))
    if person.stubble:
        jaw = face * canvas.mask(oval((_MIDDLE, person.chin - 14), 50, 33), softness=5)
        hairs = np.clip(grain(rng, face.shape, sigma=0.8), 0, 3) / 3
        canvas.blend(person.stubble * jaw * (0.12 + 0.6 * hairs), 0.5 * person.hair)
