"""Resizing against plain definitions, with the crop in the same step."""

import jax.numpy as jnp
import numpy as np
import pytest

from lipfd_jax.kernels.resize import compose_taps, compute_taps, gathers, plain, resize


def lerp(line, size):
    """Plain bilinear sampling of a row with half-pixel centres and clamped ends."""
    positions = (np.arange(size) + 0.5) * len(line) / size - 0.5
    return np.interp(positions, np.arange(len(line)), line)


def triangle(line, size):
    """The triangle filter, as wide as one output pixel, normalised over the pixels inside."""
    scale = max(len(line) / size, 1)
    centres = (np.arange(size) + 0.5) * len(line) / size
    distance = (np.arange(len(line)) + 0.5 - centres[:, None]) / scale
    weights = np.maximum(1 - np.abs(distance), 0)
    return weights @ line / weights.sum(1)


@pytest.mark.parametrize(("length", "size"), [(50, 22), (22, 50), (10, 10), (100, 8)])
def test_taps_follow_the_definition(length, size):
    line = np.random.default_rng(0).uniform(0, 255, length)
    np.testing.assert_allclose(
        compute_taps(length, size, antialias=False).matrix() @ line, lerp(line, size), atol=1e-2
    )
    np.testing.assert_allclose(
        compute_taps(length, size, antialias=True).matrix() @ line, triangle(line, size), atol=1e-2
    )


@pytest.mark.parametrize("antialias", [False, True])
def test_box_is_a_crop(antialias):
    line = np.random.default_rng(0).uniform(0, 255, 60)
    cropped = compute_taps(24, 16, antialias=antialias).matrix() @ line[20:44]
    np.testing.assert_allclose(
        compute_taps(60, 16, antialias=antialias, box=(20, 44)).matrix() @ line, cropped, atol=1e-3
    )


@pytest.mark.parametrize("antialias", [False, True])
def test_fractional_box_keeps_a_ramp(antialias):
    found = compute_taps(100, 10, antialias=antialias, box=(17.5, 82.5)).matrix() @ np.arange(100.0)
    np.testing.assert_allclose(found[1:-1], (17.5 + 6.5 * (np.arange(10) + 0.5) - 0.5)[1:-1], atol=0.3)


@pytest.mark.parametrize("box", [(-1, 5), (3, 3), (0, 11)])
def test_box_outside_is_refused(box):
    with pytest.raises(ValueError, match="crop box"):
        compute_taps(10, 5, antialias=False, box=box)


def test_compose_equals_two_steps():
    inner, outer = compute_taps(50, 22, antialias=True), compute_taps(22, 30, antialias=False, box=(3, 17))
    np.testing.assert_allclose(
        compose_taps(outer, inner).matrix(), outer.matrix() @ inner.matrix(), atol=1e-6
    )


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("function", [plain, gathers])
def test_pictures_are_resized_along_both_axes(function, antialias):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 4, 40, 60, 3), np.uint8)
    rows, columns = (
        compute_taps(40, 17, antialias=antialias, box=(2.5, 33)),
        compute_taps(60, 70, antialias=antialias),
    )
    expected = np.einsum("yh,xw,abhwc->abyxc", rows.matrix(), columns.matrix(), pictures.astype(float))
    found = function(jnp.asarray(pictures), rows, columns, dtype=jnp.float32)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_bfloat16_is_close():
    pictures = jnp.asarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3)), jnp.uint8)
    sides = compute_taps(40, 17, antialias=True), compute_taps(60, 20, antialias=True)
    found = plain(pictures, *sides, dtype=jnp.bfloat16)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype(jnp.float32), resize(pictures, *sides), atol=3)
