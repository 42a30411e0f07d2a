"""Pseudo-forgeries: the masked part changes, everything else keeps its bytes, and seeds decide all."""

import dataclasses

import cv2
import numpy as np
import pytest

from lipfd_jax.data.degradations import DegradationSettings
from lipfd_jax.data.forgery_contents import TEXTURES, ContentSettings
from lipfd_jax.data.forgery_masks import SHAPES, MaskSettings, locate_masks, make_masks
from lipfd_jax.data.pseudo_forgeries import (
    PseudoForgerySettings,
    apply_pseudo_forgery,
    draw_pseudo_forgery,
    measure_fit,
    measure_shift,
    place_donor,
)
from lipfd_jax.data.sound_forgeries import SoundForgerySettings
from lipfd_jax.settings import build_settings


def _draw_frames(seed: int, side: int = 160, count: int = 3) -> np.ndarray:
    values = np.random.default_rng(seed).integers(30, 220, (count, side // 2, side // 2, 3)).astype(np.uint8)
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC) for one in values])


@pytest.fixture(scope="module")
def frames():
    return _draw_frames(0)


@pytest.fixture(scope="module")
def donor():
    return _draw_frames(1)


def _draw(seed, **settings):
    return draw_pseudo_forgery(np.random.default_rng(seed), PseudoForgerySettings(**settings))


@pytest.mark.parametrize("seed", range(30))
def test_only_the_masked_part_changes(frames, donor, seed):
    before = frames.copy(), donor.copy()
    forgery = _draw(seed)
    forged = apply_pseudo_forgery(forgery, frames, donor)
    masks = make_masks(forgery.mask, 3, 160)
    assert (forged.shape, forged.dtype) == (frames.shape, np.uint8)
    np.testing.assert_array_equal(forged[masks == 0], frames[masks == 0])
    assert all((a != b)[mask > 0.5].mean() > 0.2 for a, b, mask in zip(forged, frames, masks, strict=True))
    np.testing.assert_array_equal(frames, before[0])
    np.testing.assert_array_equal(donor, before[1])


def test_equal_seeds_give_equal_bytes(frames, donor):
    assert _draw(3) == _draw(3) != _draw(4)
    np.testing.assert_array_equal(*(apply_pseudo_forgery(_draw(3), frames, donor) for _ in range(2)))


def test_without_another_moment_something_changes_all_the_same(frames):
    for seed in range(20):
        assert not np.array_equal(apply_pseudo_forgery(_draw(seed), frames, frames), frames)


@pytest.mark.parametrize("side", [97, 131, 448])
@pytest.mark.parametrize("count", [1, 5])
def test_any_side_and_number_of_frames(side, count):
    frames = _draw_frames(0, side + side % 2, count)[:, :side, :side]
    for seed in range(3):
        forged = apply_pseudo_forgery(_draw(seed), frames, frames[::-1])
        assert forged.shape == frames.shape
        assert not np.array_equal(forged, frames)


def _draw_swap(mask=None, **content):
    """A pseudo-forgery that pastes a donor's mouth and does nothing else."""
    plain = dict.fromkeys(("matched", "rendered", "finish", "more", "aligned"), 0.0) | {"least_fit": -1.0}
    forgery = _draw(0, mask=mask or MaskSettings(), content=ContentSettings(donor=1, **plain | content))
    return dataclasses.replace(forgery, content=dataclasses.replace(forgery.content, steps=()))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_donors_mouth_replaces_the_frames_but_not_its_eyes(frames, donor, shape):
    mask = MaskSettings(**dict.fromkeys(SHAPES, 0.0) | {shape: 1.0}, hard=1, jitter=0, elastic=0)
    forged = apply_pseudo_forgery(_draw_swap(mask), frames, donor)
    mouth, eyes = np.s_[:, 86:98, 74:86], np.s_[:, 32:48, 40:120]
    np.testing.assert_array_equal(forged[mouth], donor[mouth])
    np.testing.assert_array_equal(forged[eyes], frames[eyes])


def test_a_head_turned_differently_is_no_donor(frames, donor):
    assert measure_fit(frames, donor) < 0.6
    np.testing.assert_array_equal(apply_pseudo_forgery(_draw_swap(least_fit=0.6), frames, donor), frames)


def test_a_head_turned_alike_is_a_donor(frames, donor):
    alike = frames.copy()
    alike[:, 80:] = donor[:, 80:]
    assert measure_fit(frames, alike) > 0.95
    forged = apply_pseudo_forgery(_draw_swap(least_fit=0.6), frames, alike)
    np.testing.assert_array_equal(forged[:, 86:98, 74:86], donor[:, 86:98, 74:86])


@pytest.mark.parametrize("side", [120, 200])
def test_a_donor_of_another_size_is_scaled(frames, side):
    donor = np.stack([cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames])
    placed = place_donor(frames, donor, aligned=True)
    assert placed.shape == frames.shape
    assert measure_fit(frames, placed) > 0.9


@pytest.mark.parametrize("by", [(5, -3), (0, 0), (-8, 6)])
def test_donors_are_aligned(frames, by):
    moved = np.roll(frames[0], by, axis=(1, 0))
    np.testing.assert_allclose(measure_shift(moved, frames[0]), [-by[0], -by[1]], atol=0.6)


def test_aligned_donors_coincide(frames):
    forgery = _draw_swap(aligned=1.0)
    forged = apply_pseudo_forgery(forgery, frames, np.roll(frames, (4, 4), axis=(1, 2)))
    rows, columns = locate_masks(make_masks(forgery.mask, 3, 160))
    assert np.abs(forged.astype(int) - frames)[:, rows, columns].mean() < 12 < frames.std()


def test_no_shift_is_implausibly_large(frames):
    for seed in range(1, 10):
        assert max(np.abs(measure_shift(_draw_frames(seed, count=1)[0], frames[0]))) <= 0.12 * 160


def test_a_donor_never_shines_through():
    settings = {"mask": MaskSettings(transparent=1), "content": ContentSettings(donor=1)}
    assert _draw(0, **settings).mask.opacity == 1
    assert _draw(0, **settings | {"content": ContentSettings(donor=0)}).mask.opacity < 1


def test_a_config_changes_probabilities():
    settings = build_settings(PseudoForgerySettings(), {"content": {"donor": 0.0}, "mask": {"jaw": 9}})
    assert (settings.content.donor, settings.mask.jaw) == (0.0, 9)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: MaskSettings(hard=1.5), "hard"),
        (lambda: MaskSettings(**dict.fromkeys(SHAPES, 0.0)), "face_box"),
        (lambda: ContentSettings(donor=-0.1), "donor"),
        (lambda: ContentSettings(smallest_side=300), "smallest_side"),
        (lambda: ContentSettings(**dict.fromkeys(TEXTURES, 0.0)), "rendered"),
        (lambda: DegradationSettings(blur=2), "blur"),
        (lambda: SoundForgerySettings(nearest=3), "nearest"),
        (lambda: SoundForgerySettings(shifted=0, other_moment=0, other_speaker=0), "shifted"),
    ],
)
def test_settings_that_can_not_be_drawn_are_refused(make, named):
    with pytest.raises(ValueError, match=named):
        make()
