"""What generators leave on a pasted mouth: blur, smeared texture, blocks, grids, wrong colours and places.

Operations take patches (n, height, width, 3) uint8 RGB, a strength from 0 to 1 and a generator, and return as
many patches. A new one is a function, a row of `OPERATIONS` and a weight in `ContentSettings`.
"""

from collections.abc import Callable

import cv2
import numpy as np

from lipfd_jax.perturbations.frames import recode_jpeg

Random = np.random.Generator
Operation = Callable[[np.ndarray, float, Random], np.ndarray]


def blur(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Gaussian blur with a sigma of 0.5 to 1.5 pixels."""
    del rng
    return np.stack([cv2.GaussianBlur(patch, (0, 0), 0.5 + strength) for patch in patches])


def smear(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Bilateral filter of 5 pixels: skin without pores, outlines kept."""
    del rng
    return np.stack([cv2.bilateralFilter(patch, 5, 20 + 60 * strength, 3) for patch in patches])


def take_median(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Median of 3 or 5 pixels a side: teeth and lashes run together."""
    del rng
    return np.stack([cv2.medianBlur(patch, 3 if strength < 0.6 else 5) for patch in patches])


def compress(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """JPEG of quality 60 (weak) to 15 (strong)."""
    del rng
    return np.stack([recode_jpeg(patch, round(60 - 45 * strength)) for patch in patches])


def oversharpen(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Unsharp mask of gain 0.6 to 2, as face restoration after a generator leaves it."""
    del rng
    gain = 0.6 + 1.4 * strength
    soft = (cv2.GaussianBlur(patch, (0, 0), 1.2) for patch in patches)
    return np.stack([cv2.addWeighted(p, 1 + gain, s, -gain, 0) for p, s in zip(patches, soft, strict=True)])


def recolour(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Scales and moves each channel by a few per cent, all patches alike."""
    gains = 1 + (0.02 + 0.07 * strength) * rng.uniform(-1, 1, 3)
    offsets = (1 + 7 * strength) * rng.uniform(-1, 1, 3)
    table = np.clip(np.arange(256)[:, None] * gains + offsets, 0, 255).round().astype(np.uint8)
    return np.stack([cv2.LUT(patch, table[None].reshape(256, 1, 3)) for patch in patches])


def move(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Moves the patches by 0.5 to 2 per cent of their side in one direction."""
    angle = rng.uniform(0, 2 * np.pi)
    far = (0.005 + 0.015 * strength) * max(patches.shape[1:3])
    matrix = np.array([[1, 0, far * np.cos(angle)], [0, 1, far * np.sin(angle)]])
    return np.stack([_warp(patch, matrix) for patch in patches])


def deform(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Bends the patches smoothly, by about 0.4 to 1.2 per cent of their side, a little otherwise in each."""
    height, width = patches.shape[1:3]
    common = rng.standard_normal((5, 5, 2))
    far = (0.004 + 0.008 * strength) * max(height, width)
    fields = far * (common + 0.3 * rng.standard_normal((len(patches), 5, 5, 2)))
    return np.stack([_bend(p, f.astype(np.float32)) for p, f in zip(patches, fields, strict=True)])


def smooth_in_time(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Mixes each patch with the mean of its neighbours in time; a single one stays as it is."""
    del rng
    padded = np.concatenate([patches[:1], patches, patches[-1:]])
    share = 0.2 + 0.4 * strength
    mixed = [
        cv2.addWeighted(now, 1 - share, cv2.addWeighted(before, 0.5, after, 0.5, 0), share, 0)
        for before, now, after in zip(padded[:-2], padded[1:-1], padded[2:], strict=True)
    ]
    return np.stack(mixed)


def add_grid(patches: np.ndarray, strength: float, rng: Random) -> np.ndarray:
    """Adds the faint regular grid of transposed convolutions, two or four pixels wide."""
    height, width = patches.shape[1:3]
    tile = rng.standard_normal((2, 2) if rng.random() < 0.6 else (4, 4))
    repeats = -(-height // len(tile)), -(-width // len(tile))
    grid = np.tile(tile - tile.mean(), repeats)[:height, :width]
    added = np.repeat(((1 + 3 * strength) * grid)[..., None], 3, 2).astype(np.float32)
    return np.stack([cv2.add(patch, added, dtype=cv2.CV_8U) for patch in patches])


def _warp(patch: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(patch, matrix, patch.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)


def _bend(patch: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Samples a patch at places displaced by a coarse field (rows, columns, 2) float32 in pixels."""
    height, width = patch.shape[:2]
    fine = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    x = fine[..., 0] + np.arange(width, dtype=np.float32)
    y = fine[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(patch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


OPERATIONS: dict[str, Operation] = {
    "blur": blur,
    "smear": smear,
    "median": take_median,
    "compress": compress,
    "oversharpen": oversharpen,
    "recolour": recolour,
    "move": move,
    "deform": deform,
    "smooth_in_time": smooth_in_time,
    "grid": add_grid,
}
