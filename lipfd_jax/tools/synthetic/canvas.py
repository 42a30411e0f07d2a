"""Soft-edged shapes on a canvas finer than the frame, so that drawn edges come out smooth."""

import cv2
import numpy as np

FRAME = 224  # pixels on a side of a finished frame; one unit of drawing is one such pixel
MARGIN = 16  # units drawn beyond the frame, so that a moving head does not show where it ends
SCALE = 2  # canvas pixels per unit
_SHIFT = 4  # fractional bits of the coordinates given to OpenCV

Colour = tuple[float, float, float] | np.ndarray


class Canvas:
    """A rectangle of drawing units: `pixels` is (height, width, 4) float32.

    The first three channels are RGB, 0..255, times the fourth, the coverage 0..1. `origin` is the top left
    corner, x and y in units.
    """

    def __init__(self, pixels: np.ndarray, origin: tuple[float, float]) -> None:
        """Draws on `pixels` itself."""
        self.pixels, self.origin = pixels, origin

    @classmethod
    def empty(cls) -> "Canvas":
        """A transparent canvas that covers the frame and its margin."""
        side = (FRAME + 2 * MARGIN) * SCALE
        return cls(np.zeros((side, side, 4), np.float32), (-MARGIN, -MARGIN))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in canvas pixels."""
        return self.pixels.shape[:2]

    def part(self, left: float, top: float, right: float, bottom: float) -> "Canvas":
        """A view of a rectangle given in units, rounded outwards to whole ones."""
        x, y = int(np.floor(left - self.origin[0])), int(np.floor(top - self.origin[1]))
        last_x, last_y = int(np.ceil(right - self.origin[0])), int(np.ceil(bottom - self.origin[1]))
        view = self.pixels[y * SCALE : last_y * SCALE, x * SCALE : last_x * SCALE]
        return Canvas(view, (self.origin[0] + x, self.origin[1] + y))

    def copy(self) -> "Canvas":
        """The same picture in its own memory."""
        return Canvas(self.pixels.copy(), self.origin)

    def mask(self, points: np.ndarray, *, softness: float = 0.0) -> np.ndarray:
        """Coverage (height, width) 0..1 of a closed polygon, (n, 2) in units; softness its edge's sigma."""
        drawn = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(drawn, [self._fixed(points)], 255, cv2.LINE_AA, _SHIFT)
        return _soften(drawn, softness)

    def lines(self, lines: list[np.ndarray], *, width: float, softness: float = 0.0) -> np.ndarray:
        """Coverage (height, width) 0..1 of open lines, each (n, 2) in units, `width` units thick."""
        drawn = np.zeros(self.shape, np.uint8)
        thickness, fixed = max(1, round(width * SCALE)), [self._fixed(line) for line in lines]
        cv2.polylines(drawn, fixed, False, 255, thickness, cv2.LINE_AA, _SHIFT)
        return _soften(drawn, softness)

    def blend(self, mask: np.ndarray, colour: Colour) -> None:
        """Lays a colour over what is there, as strongly as the mask says."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not rows.size:
            return
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        covered = np.array([*colour, 1], np.float32)
        self.pixels[box] += mask[box][..., None] * (covered - self.pixels[box])

    def fill(
        self, points: np.ndarray, colour: Colour, *, opacity: float = 1.0, softness: float = 0.0
    ) -> None:
        """Draws a closed polygon."""
        self.blend(opacity * self.mask(points, softness=softness), colour)

    def shade(self, factor: np.ndarray) -> None:
        """Multiplies the colours by (height, width) factors; the coverage stays."""
        self.pixels[..., :3] *= factor[..., None]

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        pixels = (np.asarray(points, np.float64) - self.origin) * SCALE - 0.5
        return np.round(pixels * (1 << _SHIFT)).astype(np.int32)


def oval(centre: tuple[float, float], across: float, down: float, *, tilt: float = 0.0) -> np.ndarray:
    """Points (48, 2) of an ellipse with half axes `across` and `down`, tilted by radians."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x, y = across * np.cos(angle), down * np.sin(angle)
    turned = [x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)]
    return moved(np.stack(turned, -1), *centre)


def moved(points: np.ndarray | list[tuple[float, float]], right: float, down: float) -> np.ndarray:
    """Points (n, 2) shifted by so many units."""
    return np.asarray(points) + np.array((right, down))


def grain(rng: np.random.Generator, shape: tuple[int, int], *, sigma: float) -> np.ndarray:
    """A random texture of mean 0 and standard deviation 1, smooth over sigma array pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), sigma)
    return (noise - noise.mean()) / noise.std()


def _soften(drawn: np.ndarray, softness: float) -> np.ndarray:
    mask = drawn.astype(np.float32) / 255
    return cv2.GaussianBlur(mask, (0, 0), softness * SCALE) if softness else mask
