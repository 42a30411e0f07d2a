"""Sound that does not belong: where it is taken from."""

import numpy as np
import pytest

from lipfd_jax.data.sound_forgeries import (
    KINDS,
    SoundForgery,
    SoundForgerySettings,
    apply_sound_forgery,
    draw_sound_forgery,
)

RATE, COUNT = 100, 20
CLIP = np.arange(1000, dtype=np.float32)
OTHER = -np.arange(1, 501, dtype=np.float32)


def _apply(kind, start=500, shift=0.5, place=0.5, samples=CLIP, other=OTHER):
    forgery = SoundForgery(kind, shift, place, apart=2.0)
    found = apply_sound_forgery(forgery, samples, start, COUNT, RATE, other)
    assert (found.shape, found.dtype) == ((COUNT,), np.float32)
    return found


@pytest.mark.parametrize(("shift", "first"), [(0.5, 450), (-0.5, 550)])
def test_late_sound_comes_from_before(shift, first):
    np.testing.assert_array_equal(_apply("shifted", shift=shift), CLIP[first : first + COUNT])


@pytest.mark.parametrize(("start", "shift", "first"), [(10, 0.5, 60), (970, -0.5, 920)])
def test_a_shift_that_leaves_the_clip_goes_the_other_way(start, shift, first):
    assert _apply("shifted", start, shift)[0] == first


def test_a_short_clip_is_repeated():
    assert _apply("shifted", 0, 0.5, samples=CLIP[:30])[0] == CLIP[-50 % 30]


@pytest.mark.parametrize("start", [0, 100, 500, 980])
def test_another_moment_is_far_away(start):
    for place in np.linspace(0, 1, 21):
        first = _apply("other_moment", start, place=place)[0]
        assert abs(first - start) >= 200
        assert 0 <= first <= 980


@pytest.mark.parametrize(("start", "first"), [(10, 80), (70, 0)])
def test_another_moment_of_a_short_clip_is_its_farther_end(start, first):
    assert _apply("other_moment", start, samples=CLIP[:100])[0] == first


def test_another_speaker():
    assert _apply("other_speaker").max() < 0
    assert _apply("other_speaker", other=OTHER[:15]).max() < 0  # repeated


def test_another_moment_where_there_is_no_other_speaker():
    np.testing.assert_array_equal(_apply("other_speaker", other=None), _apply("other_moment"))


def test_draws():
    drawn = [draw_sound_forgery(np.random.default_rng(seed)) for seed in range(100)]
    assert {one.kind for one in drawn} == set(KINDS)
    shifts = np.array([one.shift for one in drawn])
    assert (np.abs(shifts) >= 0.3).all()
    assert (np.abs(shifts) <= 2).all()
    assert (shifts > 0).any()
    assert (shifts < 0).any()
    assert drawn[0] == draw_sound_forgery(np.random.default_rng(0))


def test_a_weight_of_zero_leaves_a_kind_out():
    settings = SoundForgerySettings(other_moment=0, other_speaker=0)
    assert {draw_sound_forgery(np.random.default_rng(seed), settings).kind for seed in range(20)} == {
        "shifted"
    }
