"""Encoded windows: lossless ones restore the composite bit for bit, at any size; damage is named."""

import struct

import cv2
import numpy as np
import pytest

from lipfd_jax.preprocessing.composite import Window, make_composite
from lipfd_jax.preprocessing.encoding import encode_window, rebuild_composite


def _window(height, width, columns=9):
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (5, height, width, 3), np.uint8)
    frames = np.stack([cv2.blur(frame, (5, 5)).reshape(frame.shape) for frame in frames])
    return Window(0, 0, 25.0, random.integers(0, 256, (128, columns, 3), np.uint8), frames)


# 16 x 4096: five such frames side by side are wider than WebP allows; 3 x 65536: than JPEG allows.
@pytest.mark.parametrize("size", [(224, 224), (1, 1), (500, 500), (99, 101), (16, 4096), (3, 65536)])
def test_lossless_encodings_rebuild_the_composite(size):
    window = _window(*size)
    for encoding in ("compact", "composite"):
        np.testing.assert_array_equal(
            rebuild_composite(encode_window(window, encoding)), make_composite(window)
        )
    np.testing.assert_array_equal(rebuild_composite(encode_window(window, effort=3)), make_composite(window))


def test_very_long_and_very_short_mel_strips():
    for columns in (1, 20000):
        window = _window(8, 8, columns)
        np.testing.assert_array_equal(rebuild_composite(encode_window(window)), make_composite(window))


def test_lossy_is_small_and_near():
    window = _window(224, 224)
    fields = encode_window(window, "lossy")
    assert len(fields["frames"]) < len(encode_window(window)["frames"]) / 2
    difference = np.abs(rebuild_composite(fields).astype(int) - make_composite(window))
    assert difference[:500].max() == 0
    assert 0 < difference.mean() < 3


def test_damaged_fields_are_named():
    fields = encode_window(_window(20, 20))
    for data in (b"", b"nonsense", fields["frames"][: len(fields["frames"]) // 2]):
        with pytest.raises(ValueError, match="frames"):
            rebuild_composite({**fields, "frames": data})
    with pytest.raises(ValueError, match="composite"):
        rebuild_composite({"composite": fields["mel"]})


def test_unknown_encoding_is_refused():
    with pytest.raises(ValueError, match="compact"):
        encode_window(_window(4, 4), "gif")


def test_a_picture_that_claims_to_be_large_is_not_decoded(monkeypatch):
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", 30_000, 30_000, 8, 2)
    monkeypatch.setattr("cv2.imdecode", lambda *_: pytest.fail("it is decoded"))
    with pytest.raises(ValueError, match="30000x30000 pixels, expected 2500x1000"):
        rebuild_composite({"composite": head})
