"""The lip-sync forger: the mouth drawn again for other speech, at low resolution, and blended back."""

import cv2
import numpy as np

from lipfd_jax.tools.synthetic.canvas import FRAME, Canvas, oval
from lipfd_jax.tools.synthetic.difficulty import Difficulty
from lipfd_jax.tools.synthetic.features import mouth_box
from lipfd_jax.tools.synthetic.footage import Footage


def forged_region(footage: Footage, difficulty: Difficulty) -> np.ndarray:
    """Where the forger works, (h, w) on the head's canvas: 1 over all a mouth covers, softly down to 0."""
    left, top, right, bottom = mouth_box(footage.person)
    reach = 1.5 * difficulty.blend_softness
    centre = ((left + right) / 2, (top + bottom) / 2)
    shape = oval(centre, (right - left) / 2 + reach, (bottom - top) / 2 + reach)
    drawn = Canvas.empty().mask(shape, softness=difficulty.blend_softness)
    return np.where(drawn < 1 / 255, 0, drawn).astype(np.float32)


def forge(frame: np.ndarray, redrawn: np.ndarray, mask: np.ndarray, difficulty: Difficulty) -> np.ndarray:
    """Replaces the mouth of a filmed frame.

    Args:
      frame: (224, 224, 3) float32, the footage with the mouth it had.
      redrawn: the same frame with the mouth for the other speech, without sensor noise.
      mask: (224, 224) float32, 1 where the forger's picture replaces the footage.
      difficulty: sets the resolution of the redrawn mouth.

    Returns:
      (224, 224, 3) float32, equal to `frame` wherever the mask is 0.
    """
    side = max(1, round(FRAME * difficulty.mouth_resolution))
    small = cv2.resize(redrawn, (side, side), interpolation=cv2.INTER_AREA)
    low = cv2.resize(small, (FRAME, FRAME), interpolation=cv2.INTER_CUBIC)
    return frame + mask[..., None] * (np.clip(low, 0, 255) - frame)
