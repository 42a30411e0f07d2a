"""The seven perturbations: each against its definition, its strength rising with the severity."""

import cv2
import numpy as np
import pytest

from lipfd_jax.perturbations import frames as perturbations
from lipfd_jax.perturbations.catalogue import FRAME_KINDS, find_frame_kind
from lipfd_jax.perturbations.frames import SEVERITIES


def _frames(height=64, width=80):
    drawn = np.random.default_rng(0).integers(0, 256, (5, 13, 16, 3), dtype=np.uint8)
    return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) for f in drawn])


def _apply(name, severity, frames=None, seed=0):
    return find_frame_kind(name).apply(
        _frames() if frames is None else frames, severity, np.random.default_rng(seed)
    )


def _change(name, severity):
    return np.abs(_apply(name, severity).astype(int) - _frames()).mean()


@pytest.mark.parametrize("name", [kind.name for kind in FRAME_KINDS])
def test_strength_rises_with_the_level(name):
    changes = [_change(name, severity) for severity in SEVERITIES]
    assert changes[0] > 0
    assert changes == sorted(changes)
    assert changes[-1] > 1.3 * changes[0]


@pytest.mark.parametrize("name", [kind.name for kind in FRAME_KINDS])
def test_shape_type_and_the_given_frames_are_kept(name):
    frames = _frames(47, 33)
    before = frames.copy()
    result = _apply(name, 3, frames)
    assert (result.shape, result.dtype) == (frames.shape, np.uint8)
    np.testing.assert_array_equal(frames, before)
    np.testing.assert_array_equal(result, _apply(name, 3, frames))


@pytest.mark.parametrize("name", ["saturation", "contrast", "blur", "pixelation", "compression"])
def test_equal_frames_stay_equal(name):
    result = _apply(name, 4, np.repeat(_frames()[:1], 5, axis=0))
    assert (result == result[0]).all()


@pytest.mark.parametrize("name", ["noise", "block-wise"])
def test_what_is_random_differs_from_frame_to_frame_and_by_seed(name):
    result = _apply(name, 4, np.repeat(_frames()[:1], 5, axis=0))
    assert not any(np.array_equal(result[0], other) for other in result[1:])
    assert not np.array_equal(result, _apply(name, 4, np.repeat(_frames()[:1], 5, axis=0), seed=1))


@pytest.mark.parametrize(("severity", "factor"), [*enumerate((0.4, 0.3, 0.2, 0.1, 0.0), start=1)])
def test_saturation_scales_chroma_and_keeps_luma(severity, factor):
    before, after = (
        cv2.cvtColor(f[0].astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb)
        for f in (_frames(), _apply("saturation", severity))
    )
    np.testing.assert_allclose(after[..., 0], before[..., 0], atol=0.006)
    np.testing.assert_allclose(after[..., 1:] - 0.5, factor * (before[..., 1:] - 0.5), atol=0.006)


@pytest.mark.parametrize(("severity", "factor"), [*enumerate((0.85, 0.725, 0.6, 0.475, 0.35), start=1)])
def test_contrast_multiplies(severity, factor):
    np.testing.assert_array_equal(_apply("contrast", severity), np.floor(_frames() * factor).astype(np.uint8))


@pytest.mark.parametrize(("side", "most"), [(224, 42), (256, 48), (512, 96), (6, 1)])
def test_block_wise_covers_small_frames_too(side, most):
    """Published is 48 x (side // 256) at severity 3, and so nothing at 224; ours is 48 x side / 256."""
    frames = np.zeros((5, side, side, 3), np.uint8)
    for frame in _apply("block-wise", 3, frames):
        assert set(np.unique(frame)) <= {0, 128}
        assert 0.8 * most * 64 < (frame[..., 0] > 0).sum() <= most * 64 or side < 8
        assert frame.any()


@pytest.mark.parametrize(("severity", "variance"), [*enumerate((0.001, 0.002, 0.005, 0.01, 0.05), start=1)])
def test_noise_has_the_variance_in_luma_and_chroma(severity, variance):
    grey = np.full((5, 128, 128, 3), 128, np.uint8)
    noisy = _apply("noise", severity, grey).astype(np.float32) / 255
    values = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2YCrCb) for f in noisy])
    if severity < 5:  # there much is cut off at black and white
        np.testing.assert_allclose(values.var(axis=(0, 1, 2)), variance, rtol=0.03)
    assert abs(values[..., 0].mean() - 128 / 255) < 0.003


def test_blur_spreads_a_point_as_its_gaussian():
    point = np.zeros((5, 41, 41, 3), np.uint8)
    point[:, 20, 20] = 255
    spread = _apply("blur", 2, point)[0, :, :, 0]
    rows = np.flatnonzero(spread.any(axis=1))
    assert rows.min() >= 16
    assert rows.max() <= 24
    offsets = np.arange(-4, 5)
    weights = np.exp(-(offsets**2) / (2 * 1.5**2))
    np.testing.assert_allclose(spread[20, 16:25], 255 * weights * weights[4] / weights.sum() ** 2, atol=1)


def test_pixelation_leaves_few_pixels():
    frames = _frames(60, 60)
    expected = cv2.resize(cv2.resize(frames[0], (12, 12)), (60, 60))
    np.testing.assert_array_equal(_apply("pixelation", 4, frames)[0], expected)


def test_compression_keeps_colours_and_most_detail():
    frames = np.stack([cv2.resize(frame, (320, 256)) for frame in _frames()])
    error = _apply("compression", 1, frames).astype(float) - frames
    assert error.any()
    assert abs(error.mean(axis=(0, 1, 2))).max() < 1.5  # red and blue not exchanged
    assert 20 * np.log10(255 / np.sqrt((error**2).mean())) > 25


def test_unknown_names_and_levels_are_refused():
    with pytest.raises(ValueError, match="'sharpen': expected one of saturation, contrast"):
        _apply("sharpen", 1)
    for severity in (0, 6):
        with pytest.raises(ValueError, match=f"blur at severity {severity}: expected 1 to 5"):
            _apply("blur", severity)


def test_there_are_five_levels_of_each():
    tables = [value for name, value in vars(perturbations).items() if name.isupper() and name.endswith("S")]
    assert sum(isinstance(table, tuple) and len(table) == 5 for table in tables) == 7


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", ["saturation", "blur", "pixelation", "compression"])
def test_a_constant_grey_picture_stays_as_it_is(name, severity):
    grey = np.full((2, 48, 56, 3), 128, np.uint8)
    assert np.array_equal(_apply(name, severity, grey), grey)


def _edge(width: int, place: int) -> np.ndarray:
    """Black up to a column, white from there on."""
    frames = np.zeros((1, 20, width, 3), np.uint8)
    frames[:, :, place:] = 255
    return frames


def test_an_edge_becomes_what_was_worked_out_by_hand():
    # Kernel of 9 and sigma 1.5: column c gets the share of weights that lie on the white side.
    weights = np.exp(-(np.arange(-4, 5) ** 2) / (2 * 1.5**2))
    wanted = 255 * np.cumsum(weights / weights.sum())
    np.testing.assert_allclose(_apply("blur", 2, _edge(60, 30))[0, 10, 26:35, 0], wanted, atol=1)
    # By 5: every fifth column from 2 on is kept; between 27 (black) and 32 (white) five even steps lead up.
    ramp = _apply("pixelation", 4, _edge(60, 30))[0, 10, 27:33, 0]
    np.testing.assert_allclose(ramp, [0, 51, 102, 153, 204, 255], atol=1)
    assert np.unique(_apply("contrast", 1, _edge(60, 30))).tolist() == [0, 216]  # 0.85 * 255 = 216.75
    assert np.array_equal(_apply("saturation", 5, _edge(60, 30)), _edge(60, 30))  # no colour to lose
