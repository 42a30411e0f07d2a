"""Moving parts of a drawn face: eyes that blink and a mouth that speaks."""

from dataclasses import dataclass

import numpy as np

from lipfd_jax.tools.synthetic.canvas import Canvas, make_oval, move_points
from lipfd_jax.tools.synthetic.face import MIDDLE, Person

_CURVE = np.linspace(-1, 1, 33)


@dataclass(frozen=True)
class _Lips:
    """Edges of the lips from corner to corner, each (33, 2) in units."""

    upper_out: np.ndarray
    upper_in: np.ndarray
    lower_in: np.ndarray
    lower_out: np.ndarray


def mouth_box(person: Person) -> tuple[float, float, float, float]:
    """Returns left, top, right and bottom, in units, of all that a mouth ever covers."""
    reach = 1.2 * person.mouth_width + 4
    top = person.mouth_row - 1.15 * person.upper_lip - 0.3 * person.gape - 3
    return MIDDLE - reach, top, MIDDLE + reach, person.mouth_row + person.lower_lip + person.gape + 4


def draw_eyes(portrait: Canvas, person: Person, lids: float) -> None:
    """Draws both eyes; lids: 0 (shut) to 1 (open)."""
    for way in (-1, 1):
        x, y = MIDDLE + way * person.eye_gap, person.eye_row
        canvas = portrait.cut(x - 20, y - 14, x + 20, y + 14)
        above, below = (
            np.stack([x + 11 * _CURVE, y + 1 - height * (1 - _CURVE**2)], -1)
            for height in (5.5 * (2 * lids - 0.75), -4.1)
        )
        opening = canvas.cover(np.vstack([above, below[::-1]]), 0.3)
        canvas.blend(opening, (232, 228, 224))
        for radius, colour in ((5.4, 0.9 * person.iris), (2.4, (14, 10, 10))):
            canvas.blend(opening * canvas.cover(make_oval((x, y), radius, radius), 0.3), colour)
        glint = make_oval((x + 1.8 * person.light, y - 1.8), 1.0, 1.0)
        canvas.blend(opening * canvas.cover(glint), (255, 255, 255))
        canvas.blend(0.9 * canvas.cover_lines([above], 1.4, 0.3), 0.22 * person.skin)
        canvas.blend(0.35 * canvas.cover_lines([below], 0.6, 0.3), 0.4 * person.skin)


def draw_mouth(portrait: Canvas, person: Person, opening: float, spread: float) -> None:
    """Draws lips, teeth and tongue; opening: 0 (shut) to 1, spread: -1 (rounded) to 1 (drawn wide)."""
    canvas = portrait.cut(*mouth_box(person))
    lips = _shape_lips(person, opening, spread)
    inner = canvas.cover(np.vstack([lips.upper_in, lips.lower_in[::-1]]), 0.25)
    upper = canvas.cover(np.vstack([lips.upper_out, lips.upper_in[::-1]]), 0.3) * (1 - inner)
    lower = canvas.cover(np.vstack([lips.lower_in, lips.lower_out[::-1]]), 0.3) * (1 - inner)
    canvas.blend(inner, (46, 14, 16))
    if opening > 0.06:
        _draw_inside(canvas, person, lips, inner, opening)
    canvas.blend(upper, 0.82 * person.lip)
    canvas.blend(lower, person.lip)
    _draw_lip_detail(canvas, person, lips, upper, lower)


def _shape_lips(person: Person, opening: float, spread: float) -> _Lips:
    across = MIDDLE + person.mouth_width * (1 + 0.16 * spread - 0.06 * opening) * _CURVE
    arch, gap = 1 - _CURVE**2, person.gape * opening
    full = 1 - 0.15 * spread  # rounded lips are thicker
    bow = 1 - 0.28 * np.exp(-((_CURVE / 0.16) ** 2))
    upper_in = person.mouth_row - 0.28 * gap * arch**0.8 + arch * (0.6 * np.cos(2.5 * np.pi * _CURVE) - 0.8)
    lower_in = np.maximum(person.mouth_row + 0.72 * gap * arch**0.7 - 0.6 * arch, upper_in)
    upper_out = upper_in - full * person.upper_lip * arch**0.6 * bow
    lower_out = lower_in + full * person.lower_lip * arch**0.75
    return _Lips(*(np.stack([across, row], -1) for row in (upper_out, upper_in, lower_in, lower_out)))


def _draw_inside(canvas: Canvas, person: Person, lips: _Lips, inner: np.ndarray, opening: float) -> None:
    """Draws what shows between the lips: the tongue, and the upper teeth with the gaps between them."""
    bottom = lips.lower_in[len(_CURVE) // 2, 1]
    tongue = make_oval((MIDDLE, bottom + 1.5), 0.55 * person.mouth_width, 2 + 0.3 * person.gape * opening)
    canvas.blend(0.8 * inner * canvas.cover(tongue, 0.8), (150, 66, 68))
    edge, width = person.mouth_row - 1.0 + 0.14 * person.gape, 0.78 * person.mouth_width
    bite = np.array([(-1, -9), (1, -9), (1, -2.2), (0.3, 0), (-0.3, 0), (-1, -2.2)]) * (width, 1)
    teeth = inner * canvas.cover(move_points(bite, MIDDLE, edge), 0.2)
    canvas.blend(teeth, (226, 220, 206))
    places = MIDDLE + width * np.linspace(-0.78, 0.78, 7)
    gaps = [np.array([(x, edge - 9), (x, edge)]) for x in places]
    canvas.blend(0.55 * teeth * canvas.cover_lines(gaps, 0.5), (120, 100, 92))


def _draw_lip_detail(
    canvas: Canvas, person: Person, lips: _Lips, upper: np.ndarray, lower: np.ndarray
) -> None:
    """Draws creases, a highlight and the line where the lips meet: detail that a redrawn mouth loses."""
    creases = [
        inside[i] + np.outer((0.1, 0.85), outside[i] - inside[i])
        for i in range(4, 30, 2)
        for inside, outside in ((lips.upper_in, lips.upper_out), (lips.lower_in, lips.lower_out))
    ]
    both = np.clip(upper + lower, 0, 1)
    canvas.blend(0.45 * both * canvas.cover_lines(creases, 0.5), 0.6 * person.lip)
    shine = (0.65 * lips.lower_in + 0.35 * lips.lower_out)[11:22]
    canvas.blend(0.4 * lower * canvas.cover_lines([shine], 1.0, 0.4), (255, 236, 230))
    seams = canvas.cover_lines([lips.upper_in, lips.lower_in], 0.6, 0.2)
    canvas.blend(0.8 * seams, 0.38 * person.lip)
