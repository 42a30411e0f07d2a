"""Views of crops: what each member of a model sees of a window's frames, as one picture per region."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from lipfd_jax.models.inputs import CLIP_MEAN, CLIP_STD

_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)
_GAIN = 4.0  # of differences between frames, which are small


def take_still(crops: jax.Array) -> jax.Array:
    """The middle frame in colour: crops (B, F, R, C, C, 3) to (B, 1, R, C, C, 3)."""
    middle = crops.shape[1] // 2
    return crops[:, middle : middle + 1]


def take_motion(crops: jax.Array) -> jax.Array:
    """What moves: brightness of the middle frame, its change since the first, and that until the last.

    Generated frames flicker, or move too smoothly; a single one does not show that. Values are in the
    normalisation of paper inputs, differences fourfold around medium grey.

    Args:
      crops: (B, F, R, C, C, 3), F of three or more, in paper inputs.

    Returns:
      (B, 1, R, C, C, 3).
    """
    first, middle, last = (
        (crops[:, number] * CLIP_STD + CLIP_MEAN) @ _BRIGHTNESS
        for number in (0, crops.shape[1] // 2, crops.shape[1] - 1)
    )
    changes = [0.5 + _GAIN * (middle - first), 0.5 + _GAIN * (last - middle)]
    picture = jnp.stack([middle, *changes], axis=-1)
    return ((picture - CLIP_MEAN) / CLIP_STD).astype(crops.dtype)[:, None]


View = Callable[[jax.Array], jax.Array]
VIEWS: dict[str, View] = {"still": take_still, "motion": take_motion}
