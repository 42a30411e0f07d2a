"""A drawn person in front of the camera."""

import numpy as np
import pytest

from lipfd_jax.tools.synthetic.face import draw_person
from lipfd_jax.tools.synthetic.footage import (
    Difficulty,
    draw_footage,
    draw_frame,
    draw_noise,
    forge,
    forged_region,
    project,
)


def _footage(seed, difficulty=None):
    rng = [np.random.default_rng((seed, i)) for i in range(3)]
    return draw_footage(draw_person(rng[0]), rng[1], rng[2], 12, difficulty or Difficulty())


def test_people_differ():
    people = [draw_person(np.random.default_rng(seed)) for seed in range(60)]
    assert np.std([person.skin.mean() for person in people]) > 25
    assert len({tuple(person.hair) for person in people}) == 60
    assert len({person.mouth_width for person in people}) == 60


def test_drawing_one_mouth_leaves_no_trace_in_the_next():
    footage = _footage(1)
    first = draw_frame(footage, 3, (0.2, 0.0))
    draw_frame(footage, 3, (1.0, 1.0))
    np.testing.assert_array_equal(draw_frame(footage, 3, (0.2, 0.0)), first)


@pytest.mark.parametrize("seed", range(4))
def test_the_forged_region_covers_every_mouth(seed):
    """No rim of the old mouth is left around the new one."""
    footage = _footage(seed)
    mask = project(footage, 5, forged_region(footage, Difficulty()))
    shut = draw_frame(footage, 5, (0.0, 0.0))
    for mouth in ((1.0, 1.0), (1.0, -1.0), (0.0, 1.0), (0.5, 0.0)):
        changed = np.abs(draw_frame(footage, 5, mouth) - shut).max(2) > 2
        assert changed.any()
        assert mask[changed].min() > 0.95


def test_face_lies_where_avlips_has_it():
    """The mouth near (0.5, 0.53) of the frame, inside the centred 0.45 of it."""
    for seed in range(8):
        footage = _footage(seed)
        difference = draw_frame(footage, 0, (1.0, 0.0)) - draw_frame(footage, 0, (0.0, 0.0))
        rows, columns = np.nonzero(np.abs(difference).max(2) > 4)
        assert 0.275 * 224 < columns.min() < columns.max() < 0.725 * 224
        assert 0.42 * 224 < rows.min() < rows.max() < 0.725 * 224


def test_forging_changes_nothing_outside_the_mask():
    footage = _footage(2)
    mask = project(footage, 4, forged_region(footage, Difficulty()))
    frame = draw_frame(footage, 4, (0.5, 0.0)) + draw_noise(footage, np.random.default_rng(0))
    redrawn = draw_frame(footage, 4, (0.0, 0.0))
    forged = forge(frame, redrawn, mask, Difficulty())
    np.testing.assert_array_equal(forged[mask == 0], frame[mask == 0])
    assert (mask == 0).mean() > 0.85
    assert (forged[mask > 0.9] != frame[mask > 0.9]).mean() > 0.9


def test_full_resolution_and_no_camera_noise_is_a_perfect_forgery():
    """What gives the forgery away is what Difficulty says, nothing else."""
    difficulty = Difficulty(mouth_resolution=1.0, camera_noise=(0.0, 0.0))
    footage = _footage(2, difficulty)
    mask = project(footage, 4, forged_region(footage, difficulty))
    real, other = (draw_frame(footage, 4, mouth) for mouth in ((0.5, 0.0), (0.9, 0.5)))
    np.testing.assert_allclose(forge(real, other, mask, difficulty), other, atol=4)


@pytest.mark.parametrize(
    "bad", [{"mouth_resolution": 0.0}, {"blend_softness": -1.0}, {"camera_noise": (3.0, 1.0)}]
)
def test_impossible_difficulty_is_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Difficulty(**bad)
