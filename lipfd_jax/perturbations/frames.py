"""The seven visual perturbations of the robustness evaluation, at five levels, as pure functions on frames.

The paper takes them and their strengths from DeeperForensics-1.0. Each function here takes the frames of a
window, (n, height, width, 3) uint8 RGB, a level from 1 (weak) to 5 (strong) and a random generator, and
returns new frames of the same shape. Level and parameter are the same for all frames; what is random (noise,
places of blocks) is drawn anew for each frame, as where whole videos are perturbed frame by frame. Sizes in
pixels (blur, pixelation, blocks) count pixels of the frames as given.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np

Perturbation = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]

LEVELS = range(1, 6)
SATURATION_FACTORS = (0.4, 0.3, 0.2, 0.1, 0.0)
CONTRAST_FACTORS = (0.85, 0.725, 0.6, 0.475, 0.35)
BLOCK_COUNTS = (16, 32, 48, 64, 80)  # in a frame whose shorter side is 256
NOISE_VARIANCES = (0.001, 0.002, 0.005, 0.01, 0.05)  # of Y, Cb and Cr in 0..1
BLUR_KERNELS = (7, 9, 13, 17, 21)  # side in pixels; sigma is a sixth of it
PIXELATION_FACTORS = (2, 3, 4, 5, 6)
JPEG_QUALITIES = (26, 22, 16, 12, 10)  # for H.264 at CRF 30, 32, 35, 38, 40

_BLOCK = 8  # side of a block in pixels
_GREY = 128
_YCBCR_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)  # BT.601


def perturb(frames: np.ndarray, name: str, level: int, rng: np.random.Generator) -> np.ndarray:
    """Applies the perturbation of that name; see the module for the arguments.

    Raises ValueError for an unknown name or level.
    """
    if name not in PERTURBATIONS:
        raise ValueError(f"perturbation {name!r}: expected one of {', '.join(PERTURBATIONS)}")
    if level not in LEVELS:
        raise ValueError(f"perturbation {name} at level {level!r}: expected 1 to {len(LEVELS)}")
    return PERTURBATIONS[name](frames, level, rng)


def saturation(frames: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Draws Cb and Cr towards their middle by a factor; level 5 leaves grey pictures."""
    del rng
    factor = SATURATION_FACTORS[level - 1]
    # The conversion is linear, so this is the same as a mixture of the frame and its grey picture.
    return np.stack([cv2.addWeighted(frame, factor, _grey(frame), 1 - factor, 0) for frame in frames])


def contrast(frames: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Multiplies all values by a factor below one, which darkens as well (so published)."""
    del rng
    table = (np.arange(256) * CONTRAST_FACTORS[level - 1]).astype(np.uint8)
    return np.stack([cv2.LUT(frame, table) for frame in frames])


def block_wise(frames: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Puts grey 8x8 blocks at random places, which may overlap.

    Published is a number per level times `min(height, width) // 256`: nothing at all below 256 pixels, as in
    the 224x224 clips of AVLips. Here the quotient is not cut off: 14 blocks at level 1 of a 224x224 frame,
    and the published number wherever the shorter side is a multiple of 256.
    """
    height, width = frames.shape[1:3]
    count = max(1, round(BLOCK_COUNTS[level - 1] * min(height, width) / 256))
    covered = frames.copy()
    for frame in covered:
        tops = rng.integers(0, max(height - _BLOCK, 0) + 1, count)
        lefts = rng.integers(0, max(width - _BLOCK, 0) + 1, count)
        for top, left in zip(tops, lefts, strict=True):
            frame[top : top + _BLOCK, left : left + _BLOCK] = _GREY
    return covered


def noise(frames: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Adds white Gaussian noise to Y, Cb and Cr."""
    deviation = np.float32(255 * np.sqrt(NOISE_VARIANCES[level - 1]))
    to_rgb = deviation * _YCBCR_TO_RGB  # linear, so the noise can be converted alone
    drawn = (rng.standard_normal(frame.shape, np.float32) for frame in frames)
    added = (cv2.transform(values, to_rgb) for values in drawn)
    return np.stack([cv2.add(f, a, dtype=cv2.CV_8U) for f, a in zip(frames, added, strict=True)])


def blur(frames: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Blurs with a Gaussian kernel of k x k pixels, sigma k/6."""
    del rng
    side = BLUR_KERNELS[level - 1]
    return np.stack([cv2.GaussianBlur(frame, (side, side), side / 6) for frame in frames])


def pixelation(frames: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Resizes down by a whole factor and up again, bilinear without antialiasing both ways."""
    del rng
    factor = PIXELATION_FACTORS[level - 1]
    height, width = frames.shape[1:3]
    small = max(1, width // factor), max(1, height // factor)
    return np.stack([cv2.resize(cv2.resize(frame, small), (width, height)) for frame in frames])


def compression(frames: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Compresses each frame as JPEG, in place of H.264 at CRF 30 to 40 of the whole video as published.

    The video is not at hand where records are read, and five frames of it cannot stand for its rate control.
    The qualities are those whose PSNR and SSIM come nearest to libx264's at the CRF of that level (medians
    of six clips, 224x224 and larger). What JPEG lacks is what carries over from frame to frame.
    """
    del rng
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITIES[level - 1]]
    return np.stack([_jpeg(frame, options) for frame in frames])


def _jpeg(frame: np.ndarray, options: list[int]) -> np.ndarray:
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded above
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _grey(frame: np.ndarray) -> np.ndarray:
    """The luma of a frame as a picture (height, width, 3)."""
    return cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType(
    {
        "saturation": saturation,
        "contrast": contrast,
        "block-wise": block_wise,
        "noise": noise,
        "blur": blur,
        "pixelation": pixelation,
        "compression": compression,
    }
)
