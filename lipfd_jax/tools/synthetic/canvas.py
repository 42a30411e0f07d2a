"""Drawing with soft edges, on a canvas finer than the frame."""

from collections.abc import Sequence

import cv2
import numpy as np

FRAME = 224  # pixels on a side of a frame; one unit of drawing is one such pixel
MARGIN = 16  # units drawn beyond the frame, for the camera to move over
SCALE = 2  # canvas pixels per unit
_SHIFT = 4  # fractional bits of the coordinates given to OpenCV


class Canvas:
    """A rectangle of drawing units: `pixels` (height, width, 3) float32 RGB, `origin` its top left corner."""

    def __init__(self, pixels: np.ndarray, origin: tuple[float, float] = (-MARGIN, -MARGIN)) -> None:
        """Draws on `pixels` itself."""
        self.pixels, self.origin = pixels, origin

    def copy(self) -> "Canvas":
        """Returns a copy with its own pixels."""
        return Canvas(self.pixels.copy(), self.origin)

    def cut(self, left: float, top: float, right: float, bottom: float) -> "Canvas":
        """Returns a view of a rectangle in units, rounded outwards to whole ones."""
        x, y = int(np.floor(left - self.origin[0])), int(np.floor(top - self.origin[1]))
        last_x, last_y = int(np.ceil(right - self.origin[0])), int(np.ceil(bottom - self.origin[1]))
        view = self.pixels[y * SCALE : last_y * SCALE, x * SCALE : last_x * SCALE]
        return Canvas(view, (self.origin[0] + x, self.origin[1] + y))

    def cover(self, points: np.ndarray, softness: float = 0.0) -> np.ndarray:
        """Returns the coverage (height, width) 0..1 of a closed polygon (n, 2), its edge blurred."""
        drawn = np.zeros(self.pixels.shape[:2], np.uint8)
        cv2.fillPoly(drawn, [self._to_fixed(points)], 255, cv2.LINE_AA, _SHIFT)
        return _soften(drawn, softness)

    def cover_lines(self, lines: list[np.ndarray], width: float, softness: float = 0.0) -> np.ndarray:
        """Returns the coverage (height, width) 0..1 of open lines, each (n, 2), `width` units thick."""
        drawn = np.zeros(self.pixels.shape[:2], np.uint8)
        fixed = [self._to_fixed(line) for line in lines]
        cv2.polylines(drawn, fixed, False, 255, max(1, round(width * SCALE)), cv2.LINE_AA, _SHIFT)
        return _soften(drawn, softness)

    def blend(self, coverage: np.ndarray, colour: np.ndarray | tuple[float, float, float]) -> None:
        """Lays a colour over the canvas, with the coverage (height, width) as its opacity."""
        self.pixels += coverage[..., None] * (np.asarray(colour, np.float32) - self.pixels)

    def fill(
        self, points: np.ndarray, colour: np.ndarray, *, opacity: float = 1.0, softness: float = 0.0
    ) -> None:
        """Draws a closed polygon (n, 2)."""
        self.blend(opacity * self.cover(points, softness), colour)

    def _to_fixed(self, points: np.ndarray) -> np.ndarray:
        pixels = (np.asarray(points, np.float64) - self.origin) * SCALE - 0.5
        return np.round(pixels * (1 << _SHIFT)).astype(np.int32)


def make_oval(centre: tuple[float, float], across: float, down: float) -> np.ndarray:
    """Returns 48 points (48, 2) of an ellipse with half axes `across` and `down`."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([centre[0] + across * np.cos(angle), centre[1] + down * np.sin(angle)], -1)


def move_points(points: np.ndarray | Sequence[tuple[float, float]], right: float, down: float) -> np.ndarray:
    """Returns points (n, 2) shifted to the right and down."""
    return np.asarray(points) + np.array((right, down))


def draw_grain(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Draws a random texture of mean 0 and standard deviation 1, smooth over sigma array pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), sigma)
    return (noise - noise.mean()) / noise.std()


def _soften(drawn: np.ndarray, softness: float) -> np.ndarray:
    coverage = drawn.astype(np.float32) / 255
    return cv2.GaussianBlur(coverage, (0, 0), softness * SCALE) if softness else coverage
