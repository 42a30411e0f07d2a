"""Articulation: how much a mouth changes its shape, apart from the motion of the head, light and noise."""

import cv2
import numpy as np

_FEWEST = 3  # frames
_ROUNDS = 3  # of registration
_STEP = 0.6  # share of the shift found that is taken; more overshoots, as the mean of moving lines is blurred
_FARTHEST = 5.0  # pixels of the mouth images that registration moves a frame
_MARGIN = 2  # pixels at the edges that registration may have filled in
_Y, _X = np.mgrid[-1:1:10j, -1:1:14j].astype(np.float32)  # of the registered images at half their size
_NOISE = 1.2  # share of the changes from frame to frame that counts as noise; 1 for white noise, which varies
_SMOOTH = 4  # frames from which motion differs from noise; fewer are all counted as motion


def measure_articulation(mouths: np.ndarray) -> float:
    """Returns the change of shape within a fifth of a second, in pixels of half the images' size.

    The images are registered by translation. From their differences to their mean all that an affine motion
    and a change of light explain is removed, so that pans, zooms, nods and shaking cameras leave nothing.
    Noise, whose changes from frame to frame are as large as those over the whole time, is subtracted. The
    rest is divided by the mean gradient, so that the result does not depend on contrast.

    Args:
      mouths: (n, 24, 32) uint8 brightness of the same place in consecutive frames.

    Returns:
      About 0 for a still picture, 0.02 for a silent mouth, 0.1 to 0.5 in speech; NaN for under three frames.
    """
    if len(mouths) < _FEWEST:
        return float("nan")
    images = _halve(_register(mouths.astype(np.float32)))
    mean = images.mean(axis=0)
    down, right = _gradients(mean)
    explained = [right, down, _X * right, _Y * right, _X * down, _Y * down, mean, np.ones_like(mean), _X, _Y]
    rest = _remove_explained((images - mean).reshape(len(images), -1), explained)
    total = float((rest**2).sum()) / ((len(rest) - 1) * rest.shape[1])
    noise = float((np.diff(rest, axis=0) ** 2).mean()) / 2 if len(rest) >= _SMOOTH else 0.0
    gradient = float(np.sqrt((right**2 + down**2).mean()))
    return float(np.sqrt(max(total - _NOISE * noise, 0.0))) / (gradient + 1)


def _register(images: np.ndarray) -> np.ndarray:
    """Returns images (n, h, w) moved onto their mean, without the edges that have no data then."""
    moved, shifts = images, np.zeros((len(images), 2))
    for _ in range(_ROUNDS):
        shifts = np.clip(shifts + _STEP * 2 * _find_shifts(_halve(moved)), -_FARTHEST, _FARTHEST)
        moved = np.stack([_translate(image, *shift) for image, shift in zip(images, shifts, strict=True)])
    return moved[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


def _find_shifts(images: np.ndarray) -> np.ndarray:
    """Returns (n, 2): pixels right and down by which each image (n, h, w) is off their mean."""
    mean = images.mean(axis=0)
    down, right = _gradients(mean)
    columns = np.stack([right, down, mean, np.ones_like(mean)]).reshape(4, -1)
    normal = columns @ columns.T + 1e-3 * np.eye(4)
    found = np.linalg.solve(normal, columns @ (images - mean).reshape(len(images), -1).T)
    return -found[:2].T


def _translate(image: np.ndarray, right: float, down: float) -> np.ndarray:
    """Returns an image (h, w) whose content lies so many pixels further left and up."""
    matrix = np.array([[1, 0, right], [0, 1, down]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, image.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _remove_explained(signals: np.ndarray, explained: list[np.ndarray]) -> np.ndarray:
    """Returns signals (n, pixels) without what the images explain."""
    columns = np.stack([image.ravel() for image in explained], axis=1)
    columns = columns / (np.linalg.norm(columns, axis=0) + 1e-6)
    normal = columns.T @ columns + 1e-6 * np.eye(columns.shape[1])
    return signals - np.linalg.solve(normal, columns.T @ signals.T).T @ columns.T


def _halve(images: np.ndarray) -> np.ndarray:
    """Returns images (n, h, w) at half their size."""
    rows = images[:, ::2] + images[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4


def _gradients(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the change per pixel downwards and to the right, (h, w) each: np.gradient in less time."""
    down, right = np.empty_like(image), np.empty_like(image)
    down[1:-1], down[0], down[-1] = (image[2:] - image[:-2]) / 2, image[1] - image[0], image[-1] - image[-2]
    right[:, 1:-1] = (image[:, 2:] - image[:, :-2]) / 2
    right[:, 0], right[:, -1] = image[:, 1] - image[:, 0], image[:, -1] - image[:, -2]
    return down, right
