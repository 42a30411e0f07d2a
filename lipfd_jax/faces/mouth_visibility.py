"""Visibility of a mouth: a small classifier of the directions of gradients in the lower face.

It was trained on the lower faces of 500 talking heads, real and forged, and on the same with drawn bars,
masks, microphones, fingers, letters, blur and mosaics over the mouth; docs/detection.md has its error rates.
"""

import functools
from importlib import resources

import cv2
import numpy as np

FACE_SIZE = (48, 56)  # width and height of the classified images
_LOWER = slice(20, 56)  # rows with the mouth
_UPPER, _MIDDLE = slice(6, 30), slice(6, 34)  # rows whose gradients and brightness serve as reference
_CELL = 6  # pixels
_DIRECTIONS = 6  # bins of half a turn
_DARK = 12  # added before the logarithm, so that noise in the dark counts little
_FLAT = 0.012  # added to the mean gradient of the reference


def measure_visibility(face: np.ndarray) -> float:
    """Returns log odds that the mouth can be seen, of a face (56, 48) uint8 brightness."""
    network = _load_network()
    hidden = np.maximum(_describe_lower_face(face) @ network["first"] + network["first_bias"], 0)
    return float(hidden @ network["second"] + network["second_bias"][0])


def cut_face(brightness: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Cuts a face out of a frame (height, width) uint8, (56, 48) uint8."""
    piece = np.ascontiguousarray(brightness[rows, columns])
    return cv2.resize(piece, FACE_SIZE, interpolation=cv2.INTER_AREA)


def _describe_lower_face(face: np.ndarray) -> np.ndarray:
    """Returns (336,) float32: roots of histograms of gradient directions, and brightness, of 6 x 8 cells."""
    light = np.log(face.astype(np.float32) + _DARK)
    down, right = np.gradient(light)
    strength = np.hypot(right, down)
    share = strength[_LOWER].ravel() / (strength[_UPPER].mean() + _FLAT)
    angle = (np.arctan2(down[_LOWER], right[_LOWER]).ravel() % np.pi) / np.pi * _DIRECTIONS
    below = np.floor(angle)
    first, cells = below.astype(int) % _DIRECTIONS, _cells()
    size = _DIRECTIONS * (cells.max() + 1)
    found = np.bincount(first * (cells.max() + 1) + cells, share * (1 - angle + below), size)
    second = (first + 1) % _DIRECTIONS
    found += np.bincount(second * (cells.max() + 1) + cells, share * (angle - below), size)
    relative = light[_LOWER] - np.median(light[_MIDDLE])
    brightness = np.bincount(cells, relative.ravel())
    return np.concatenate([np.sqrt(found / _CELL**2), brightness / _CELL**2]).astype(np.float32)


@functools.cache
def _cells() -> np.ndarray:
    """Returns (pixels,) int: the cell of each pixel of the lower face."""
    rows, columns = np.mgrid[: _LOWER.stop - _LOWER.start, : FACE_SIZE[0]] // _CELL
    return (rows * (FACE_SIZE[0] // _CELL) + columns).ravel()


@functools.cache
def _load_network() -> dict[str, np.ndarray]:
    """Loads the weights: one hidden layer of 24."""
    path = resources.files("lipfd_jax.faces").joinpath("mouth_visibility.npz")
    with path.open("rb") as file, np.load(file) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}
