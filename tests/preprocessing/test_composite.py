"""The composite of a window: every part in its place, resized as in the released code."""

import cv2
import numpy as np

from lipfd_jax.preprocessing.composite import Window, make_composite


def test_parts_are_in_their_places():
    random = np.random.default_rng(0)
    mel = random.integers(0, 256, (128, 9, 3), np.uint8)
    frames = random.integers(0, 256, (5, 30, 40, 3), np.uint8)
    picture = make_composite(Window(0, 0, 25.0, mel, frames))
    assert picture.shape == (1000, 2500, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[:500], cv2.resize(mel, (2500, 500)))
    for position, frame in enumerate(frames):
        part = picture[500:, 500 * position : 500 * (position + 1)]
        np.testing.assert_array_equal(part, cv2.resize(frame, (500, 500)))
