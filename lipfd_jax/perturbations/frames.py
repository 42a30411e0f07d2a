"""Visual perturbations of the robustness evaluation at five severities, as pure functions of frames.

The paper takes the seven and their strengths from DeeperForensics-1.0. Each function takes frames
(n, height, width, 3) uint8 RGB, a severity from 1 (weak) to 5 (strong) and a random generator, and returns
new frames of the same shape. Severity and parameter are the same for all frames; random parts (noise, places
of blocks) are drawn anew for each frame, as where whole videos are perturbed frame by frame. Sizes in pixels
(blur, pixelation, blocks) count pixels of the frames as given.
"""

import cv2
import numpy as np

SEVERITIES = range(1, 6)
SATURATION_FACTORS = (0.4, 0.3, 0.2, 0.1, 0.0)
CONTRAST_FACTORS = (0.85, 0.725, 0.6, 0.475, 0.35)
BLOCK_COUNTS = (16, 32, 48, 64, 80)  # in a frame whose shorter side is 256
NOISE_VARIANCES = (0.001, 0.002, 0.005, 0.01, 0.05)  # for Y, Cb and Cr in 0..1
BLUR_KERNELS = (7, 9, 13, 17, 21)  # side in pixels; sigma is a sixth of it
PIXELATION_FACTORS = (2, 3, 4, 5, 6)
JPEG_QUALITIES = (26, 22, 16, 12, 10)  # for H.264 at CRF 30, 32, 35, 38, 40

_BLOCK = 8  # side of a block in pixels
_GREY = 128
_YCBCR_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)  # BT.601


def reduce_saturation(frames: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Scales Cb and Cr towards their middle by a factor; severity 5 leaves grey frames."""
    del rng
    factor = SATURATION_FACTORS[severity - 1]
    # The conversion is linear, so this is the same as a mixture of the frame and its grey version.
    return np.stack([cv2.addWeighted(frame, factor, _to_grey(frame), 1 - factor, 0) for frame in frames])


def reduce_contrast(frames: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Multiplies all values by a factor below one, which darkens as well (as published)."""
    del rng
    table = (np.arange(256) * CONTRAST_FACTORS[severity - 1]).astype(np.uint8)
    return np.stack([cv2.LUT(frame, table) for frame in frames])


def add_blocks(frames: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Puts grey 8x8 blocks at random places, which may overlap.

    The published count is a number per severity times `min(height, width) // 256`: no block at all below 256
    pixels, as in the 224x224 clips of AVLips. Here the quotient is not truncated: 14 blocks at severity 1 of
    a 224x224 frame, and the published count wherever the shorter side is a multiple of 256.
    """
    height, width = frames.shape[1:3]
    count = max(1, round(BLOCK_COUNTS[severity - 1] * min(height, width) / 256))
    covered = frames.copy()
    for frame in covered:
        tops = rng.integers(0, max(height - _BLOCK, 0) + 1, count)
        lefts = rng.integers(0, max(width - _BLOCK, 0) + 1, count)
        for top, left in zip(tops, lefts, strict=True):
            frame[top : top + _BLOCK, left : left + _BLOCK] = _GREY
    return covered


def add_noise(frames: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Adds white Gaussian noise to Y, Cb and Cr."""
    deviation = np.float32(255 * np.sqrt(NOISE_VARIANCES[severity - 1]))
    to_rgb = deviation * _YCBCR_TO_RGB  # linear, so the noise can be converted alone
    drawn = (rng.standard_normal(frame.shape, np.float32) for frame in frames)
    added = (cv2.transform(values, to_rgb) for values in drawn)
    return np.stack([cv2.add(f, a, dtype=cv2.CV_8U) for f, a in zip(frames, added, strict=True)])


def blur_frames(frames: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Blurs with a Gaussian kernel of k x k pixels, sigma k/6."""
    del rng
    side = BLUR_KERNELS[severity - 1]
    return np.stack([cv2.GaussianBlur(frame, (side, side), side / 6) for frame in frames])


def pixelate(frames: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Resizes down by a whole factor and up again, bilinear without antialiasing both ways."""
    del rng
    factor = PIXELATION_FACTORS[severity - 1]
    height, width = frames.shape[1:3]
    small = max(1, width // factor), max(1, height // factor)
    return np.stack([cv2.resize(cv2.resize(frame, small), (width, height)) for frame in frames])


def compress(frames: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Compresses each frame as JPEG, in place of H.264 at CRF 30 to 40 of the whole video as published.

    Records hold no video, and five frames of it cannot reproduce its rate control. The qualities are those
    whose PSNR and SSIM come nearest to libx264's at the CRF of that severity (medians of six clips, 224x224
    and larger). JPEG lacks artefacts that carry over from frame to frame.
    """
    del rng
    return np.stack([recode_jpeg(frame, JPEG_QUALITIES[severity - 1]) for frame in frames])


def recode_jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    """Encodes a frame (height, width, 3) uint8 RGB as JPEG of a quality from 1 to 100 and decodes it."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded above
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _to_grey(frame: np.ndarray) -> np.ndarray:
    """The luma of a frame, as (height, width, 3)."""
    return cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
