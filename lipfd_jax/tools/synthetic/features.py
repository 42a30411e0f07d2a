"""The parts of the face that move: eyes that blink and look about, and a mouth that speaks."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME, Canvas, moved, oval
from lipfd_jax.tools.synthetic.identity import Identity

_MIDDLE = FRAME / 2
_CURVE = np.linspace(-1, 1, 33)


@dataclass(frozen=True)
class _Lips:
    """The edges of the lips from corner to corner, each (33, 2) in units."""

    upper_out: np.ndarray
    upper_in: np.ndarray
    lower_in: np.ndarray
    lower_out: np.ndarray


def mouth_box(person: Identity) -> tuple[float, float, float, float]:
    """Left, top, right and bottom, in units, of all that a mouth ever covers."""
    reach = 1.2 * person.mouth_width + 4
    top = person.mouth_row - 1.15 * person.upper_lip - 0.3 * person.gape - 3
    return _MIDDLE - reach, top, _MIDDLE + reach, person.mouth_row + person.lower_lip + person.gape + 4


def draw_eyes(head: Canvas, person: Identity, lids: float, gaze: tuple[float, float]) -> None:
    """Both eyes: lids 0 (shut) to 1 (open), gaze in units to the right and down."""
    for side in (-1, 1):
        x, y = _MIDDLE + side * person.eye_gap, person.eye_row
        canvas = head.part(x - 20, y - 14, x + 20, y + 14)
        above = np.stack([x + person.eye_width * _CURVE, y + 1 - _lid(person, side, 2 * lids - 0.75)], -1)
        below = np.stack([x + person.eye_width * _CURVE, y + 1 + _lid(person, side, 0.75)], -1)
        opening = canvas.mask(np.vstack([above, below[::-1]]), softness=0.3)
        canvas.blend(opening, (232, 228, 224))
        ball = (x + gaze[0], y + gaze[1])
        canvas.blend(opening * canvas.mask(oval(ball, 5.4, 5.4), softness=0.3), 0.9 * person.iris)
        canvas.blend(opening * canvas.mask(oval(ball, 2.4, 2.4), softness=0.2), (14, 10, 10))
        glint = oval((ball[0] + 1.8 * person.light, ball[1] - 1.8), 1.0, 1.0)
        canvas.blend(opening * canvas.mask(glint), (255, 255, 255))
        canvas.blend(0.9 * canvas.lines([above], width=1.4, softness=0.3), 0.22 * person.skin)
        canvas.blend(0.4 * canvas.lines([moved(above, 0, -3.5)], width=0.8, softness=0.5), 0.45 * person.skin)
        canvas.blend(0.35 * canvas.lines([below], width=0.6, softness=0.3), 0.4 * person.skin)


def draw_mouth(head: Canvas, person: Identity, opening: float, spread: float) -> None:
    """Lips, teeth and tongue: opening 0 (shut) to 1, spread -1 (rounded) to 1 (drawn wide)."""
    canvas = head.part(*mouth_box(person))
    lips = _lips(person, opening, spread)
    inner = canvas.mask(np.vstack([lips.upper_in, lips.lower_in[::-1]]), softness=0.25)
    upper = canvas.mask(np.vstack([lips.upper_out, lips.upper_in[::-1]]), softness=0.3) * (1 - inner)
    lower = canvas.mask(np.vstack([lips.lower_in, lips.lower_out[::-1]]), softness=0.3) * (1 - inner)
    canvas.blend(inner, (46, 14, 16))
    if opening > 0.06:
        _inside(canvas, person, lips, inner, opening)
    canvas.blend(upper, 0.82 * person.lip)
    canvas.blend(lower, person.lip)
    _lip_detail(canvas, person, lips, upper, lower)


def _lid(person: Identity, side: int, height: float) -> np.ndarray:
    """How far a lid stands from the middle of the eye along its width; it is higher towards the nose."""
    return person.eye_height * height * (1 - _CURVE**2) * (1 - 0.15 * side * _CURVE)


def _lips(person: Identity, opening: float, spread: float) -> _Lips:
    across = _MIDDLE + person.mouth_width * (1 + 0.16 * spread - 0.06 * opening) * _CURVE
    arch, gap = 1 - _CURVE**2, person.gape * opening
    full = 1 - 0.15 * spread  # rounded lips are thicker
    bow = 1 - 0.28 * np.exp(-((_CURVE / 0.16) ** 2))
    upper_in = person.mouth_row - 0.28 * gap * arch**0.8 + arch * (0.6 * np.cos(2.5 * np.pi * _CURVE) - 0.8)
    lower_in = np.maximum(person.mouth_row + 0.72 * gap * arch**0.7 - 0.6 * arch, upper_in)
    upper_out = upper_in - full * person.upper_lip * arch**0.6 * bow
    lower_out = lower_in + full * person.lower_lip * arch**0.75
    return _Lips(*(np.stack([across, row], -1) for row in (upper_out, upper_in, lower_in, lower_out)))


def _inside(canvas: Canvas, person: Identity, lips: _Lips, inner: np.ndarray, opening: float) -> None:
    """What shows between the lips: the tongue, and the upper teeth with the gaps between them."""
    bottom = lips.lower_in[len(_CURVE) // 2, 1]
    tongue = oval((_MIDDLE, bottom + 1.5), 0.55 * person.mouth_width, 2 + 0.3 * person.gape * opening)
    canvas.blend(0.8 * inner * canvas.mask(tongue, softness=0.8), (150, 66, 68))
    edge, width = person.mouth_row - 1.0 + 0.14 * person.gape, 0.78 * person.mouth_width
    bite = [(-1, -9), (1, -9), (1, -2.2), (0.7, -0.6), (0.3, 0), (-0.3, 0), (-0.7, -0.6), (-1, -2.2)]
    bite = moved([(width * x, y) for x, y in bite], _MIDDLE, edge)
    teeth = inner * canvas.mask(bite, softness=0.2)
    canvas.blend(teeth, (226, 220, 206))
    places = width * np.array([-0.78, -0.52, -0.26, 0, 0.26, 0.52, 0.78])
    gaps = [np.array([(_MIDDLE + x, edge - 9), (_MIDDLE + 1.03 * x, edge)]) for x in places]
    canvas.blend(0.55 * teeth * canvas.lines(gaps, width=0.5), (120, 100, 92))


def _lip_detail(canvas: Canvas, person: Identity, lips: _Lips, upper: np.ndarray, lower: np.ndarray) -> None:
    """Creases, a wet highlight and the dark line where the lips meet: the finest detail of the face."""
    creases = []
    for i in range(4, 30, 2):
        for inside, outside in ((lips.upper_in, lips.upper_out), (lips.lower_in, lips.lower_out)):
            creases.append(inside[i] + np.outer((0.1, 0.85), outside[i] - inside[i]))
    canvas.blend(0.45 * np.clip(upper + lower, 0, 1) * canvas.lines(creases, width=0.5), 0.6 * person.lip)
    shine = (0.65 * lips.lower_in + 0.35 * lips.lower_out)[11:22]
    canvas.blend(0.4 * lower * canvas.lines([shine], width=1.0, softness=0.4), (255, 236, 230))
    seams = canvas.lines([lips.upper_in, lips.lower_in], width=0.6, softness=0.2)
    canvas.blend(0.8 * seams, 0.38 * person.lip)
    rim = canvas.lines([lips.upper_out, lips.lower_out], width=0.5, softness=0.3)
    canvas.blend(0.35 * rim, 0.6 * person.skin)
