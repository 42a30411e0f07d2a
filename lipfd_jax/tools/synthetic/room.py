"""What stands still behind the head: a wall with things on it, neck, shoulders and clothes."""

import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME, Canvas, grain, oval
from lipfd_jax.tools.synthetic.identity import Identity


def draw_room(person: Identity, rng: np.random.Generator) -> Canvas:
    """The background with the body in front of it, fully covered."""
    canvas = Canvas.empty()
    _wall(canvas, rng)
    _body(canvas, person, rng)
    return canvas


def _wall(canvas: Canvas, rng: np.random.Generator) -> None:
    height, width = canvas.shape
    corners = rng.uniform(40, 200) + rng.uniform(-35, 35, 3) + rng.uniform(-25, 25, (2, 2, 3))
    down, across = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    top, bottom = (corners[i, 0] + across * (corners[i, 1] - corners[i, 0]) for i in (0, 1))
    canvas.pixels[..., :3] = top + down * (bottom - top)
    canvas.pixels[..., 3] = 1
    softness = rng.uniform(0.5, 4.0)  # some walls are out of focus
    for _ in range(rng.integers(3, 9)):
        x, y = rng.uniform(-10, FRAME + 10, 2)
        w, h = rng.uniform(8, 55, 2)
        box = np.array([(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)])
        shape = box if rng.random() < 0.6 else oval((x, y), w, w)
        colour = rng.uniform(45, 205) + rng.uniform(-45, 45, 3)
        canvas.fill(shape, colour, opacity=rng.uniform(0.3, 0.9), softness=softness)
    canvas.shade(1 + rng.uniform(0.005, 0.03) * grain(rng, canvas.shape, sigma=1.5))


def _body(canvas: Canvas, person: Identity, rng: np.random.Generator) -> None:
    chin, neck, middle = person.chin, 0.66 * person.half_width, FRAME / 2
    cloth, slope = rng.uniform(55, 190) + rng.uniform(-50, 50, 3), rng.uniform(8, 26)
    shoulder = chin + rng.uniform(26, 36)
    torso = [(middle - neck, shoulder - 8), (middle + neck, shoulder - 8), (middle + 92, shoulder + slope)]
    torso += [(260, 300), (-40, 300), (middle - 92, shoulder + slope)]
    canvas.fill(np.array(torso), cloth, softness=0.6)
    depth = rng.uniform(6, 34)
    throat = [(middle - neck, chin - 45), (middle + neck, chin - 45), (middle + neck + 3, shoulder - 6)]
    throat += [(middle, shoulder + depth), (middle - neck - 3, shoulder - 6)]
    skin = canvas.mask(np.array(throat), softness=0.6)
    canvas.blend(skin, 0.86 * person.skin)
    shadow = canvas.mask(oval((middle, chin - 4), neck + 8, 20), softness=5)
    canvas.blend(0.7 * skin * shadow, 0.55 * person.skin)
    edge = [np.array(throat)[[2, 3, 4]]]
    canvas.blend(canvas.lines(edge, width=rng.uniform(1, 5)), np.clip(cloth * rng.uniform(0.5, 1.5), 0, 255))
    fabric = canvas.mask(np.array(torso), softness=0.6) * (1 - skin)
    canvas.shade(1 + 0.05 * fabric * grain(rng, canvas.shape, sigma=rng.uniform(0.8, 2.5)))
