"""Tracks: detections joined within a shot, gaps bridged, boxes smoothed, unfit parts named."""

import numpy as np

from lipfd_jax.faces.finders import Face
from lipfd_jax.faces.fitness import find_fit_starts
from lipfd_jax.faces.overlap import compute_iou
from lipfd_jax.faces.tracks import Sample, follow_faces
from tests.scans import make_scan

TIMES = np.arange(100) / 25


def _samples(*boxes, cut_at=None, frontal=True):
    """A sample every five frames; `boxes` are functions from the sample's number to a box or None."""
    return [
        Sample(
            5 * k,
            TIMES[5 * k],
            tuple(Face(*box, frontal, "dlib") for box in (find(k) for find in boxes) if box),
            cut=k == cut_at,
        )
        for k in range(20)
    ]


def _still(k):
    return 100, 100, 200, 200


def test_a_still_face_is_one_track_to_the_last_frame():
    (track,) = follow_faces(_samples(_still), TIMES, 640, 480)
    assert (track.frames[0], track.frames[-1]) == (0, 99)
    np.testing.assert_array_equal(track.boxes, np.tile([100.0, 100, 200, 200], (100, 1)))
    assert set(track.unfit) == {""}
    assert len(find_fit_starts(track, make_scan(TIMES))) == 96


def test_a_cut_ends_a_track_even_where_the_face_stays():
    first, second = follow_faces(_samples(_still, cut_at=8), TIMES, 640, 480)
    assert (first.frames[-1], second.frames[0]) == (35, 40)


def test_half_a_second_without_the_face_is_bridged_and_more_is_not():
    def away(gone):
        return lambda k: None if k in gone else _still(k)

    assert len(follow_faces(_samples(away({8, 9})), TIMES, 640, 480)) == 1
    assert len(follow_faces(_samples(away({8, 9, 10})), TIMES, 640, 480)) == 2


def test_two_faces_are_two_tracks_though_they_come_in_turns_first():
    samples = _samples(_still, lambda k: (400, 100, 520, 220))
    samples[7] = Sample(samples[7].frame, samples[7].time, samples[7].faces[::-1], cut=False)
    left, right = sorted(follow_faces(samples, TIMES, 640, 480), key=lambda track: track.boxes[0, 0])
    np.testing.assert_array_equal(left.boxes[:, 0], 100)
    np.testing.assert_array_equal(right.boxes[:, 0], 400)


def test_one_odd_box_leaves_no_trace():
    (track,) = follow_faces(
        _samples(lambda k: (108, 100, 208, 200) if k == 8 else _still(k)), TIMES[:100], 640, 480
    )
    assert np.abs(track.boxes[:, 0] - 100).max() < 5  # 8 where nothing is smoothed


def test_what_can_not_be_judged_is_named():
    def reason(find, **options):
        (track,) = follow_faces(_samples(find, **options), TIMES, 640, 480)
        assert len(find_fit_starts(track, make_scan(TIMES))) == 0
        return set(track.unfit)

    assert reason(lambda k: (100, 100, 150, 150)) == {"small"}
    assert reason(lambda k: (-10, 100, 90, 200)) == {"cut"}
    assert reason(_still, frontal=False) == {"profile"}


def test_a_glimpse_is_no_face():
    assert follow_faces(_samples(lambda k: _still(k) if k in (4, 5) else None), TIMES, 640, 480) == []


def test_overlap_is_intersection_over_union():
    a = np.array([0.0, 0, 10, 10])
    assert compute_iou(a, a) == 1
    assert compute_iou(a, np.array([5.0, 0, 15, 10])) == 50 / 150
    assert compute_iou(a, np.array([20.0, 0, 30, 10])) == 0
