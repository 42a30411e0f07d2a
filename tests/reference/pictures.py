"""Drawn composites, the same to the bit everywhere: random blocks, smoothed with whole-number sums.

from pictures import composite
picture = composite(0)        # (1000, 2500, 3) uint8 RGB
"""

import numpy as np


def composite(seed: int) -> np.ndarray:
    """A picture (1000, 2500, 3) uint8 with soft and hard edges; depends on the seed alone."""
    rng = np.random.Generator(np.random.PCG64([seed, 2500]))
    coarse = rng.integers(0, 256, (20, 50, 3), dtype=np.int64).repeat(50, 0).repeat(50, 1)
    fine = rng.integers(0, 256, (200, 500, 3), dtype=np.int64).repeat(5, 0).repeat(5, 1)
    soft = _smooth(_smooth(coarse, 0, 33), 1, 33)
    hard = (coarse > 200) * 40
    return np.clip((3 * soft + fine) // 4 + hard, 0, 255).astype(np.uint8)


def _smooth(values: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Mean of `size` neighbours along an axis, in whole numbers; edges repeated."""
    pad = [(0, 0)] * values.ndim
    pad[axis] = (size // 2 + 1, size // 2)
    sums = np.pad(values, pad, mode="edge").cumsum(axis)
    length = values.shape[axis]
    return (np.take(sums, range(size, size + length), axis) - np.take(sums, range(length), axis)) // size
