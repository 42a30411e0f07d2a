"""Windows chosen: those of a record in a short clip, bounded in a long video, closer around suspicions."""

import numpy as np

from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.window_selection import refine_windows, select_windows
from lipfd_jax.faces.tracks import FaceTrack
from tests.scans import make_scan


def _track(first, count, unfit=()):
    frames = np.arange(first, first + count)
    reasons = np.full(count, "", dtype="<U12")
    for a, b in unfit:
        reasons[a:b] = "profile"
    return FaceTrack(frames, np.zeros((count, 4)), reasons, True, "none", np.zeros(count, np.float32))


def _scan(count):
    return make_scan(np.arange(count) / 25)


def test_a_short_clip_gets_exactly_the_windows_of_a_record():
    for count in (5, 9, 40, 107, 200):
        (starts,), left_out = select_windows([_track(0, count)], _scan(count), DetectionSettings())
        evenly = np.rint(np.linspace(0, count - 5, 10)).astype(int)
        assert starts.tolist() == np.unique(evenly).tolist()
        assert left_out == 0


def test_a_long_video_costs_no_more_than_its_budget():
    tracks = [_track(0, 20000), _track(20000, 5000), _track(25000, 100)]
    chosen, left_out = select_windows(tracks, _scan(25100), DetectionSettings(max_windows=60))
    assert sum(map(len, chosen)) <= 60
    assert [len(starts) >= 3 for starts in chosen] == [True, True, True]
    assert (chosen[0][0], chosen[0][-1]) == (0, 20000 - 5)
    assert left_out == 0


def test_where_there_are_too_many_faces_the_shortest_are_left_out_and_counted():
    tracks = [_track(100 * k, 50 + k) for k in range(30)]
    chosen, left_out = select_windows(tracks, _scan(3000), DetectionSettings(max_windows=30))
    assert left_out == 20
    assert [len(starts) for starts in chosen[:20]] == [0] * 20
    assert all(len(starts) == 3 for starts in chosen[20:])


def test_no_window_reaches_into_what_is_not_judged():
    (starts,), _ = select_windows([_track(0, 200, unfit=[(50, 120)])], _scan(200), DetectionSettings())
    assert not any(46 <= start < 120 for start in starts)


def test_a_stride_covers_everything():
    (starts,), _ = select_windows([_track(0, 1000)], _scan(1000), DetectionSettings(stride=1.0))
    assert starts.tolist() == list(range(0, 996, 25))


def test_refining_goes_between_neighbours_where_the_score_changes_sides_first():
    track, scan = _track(0, 1000), _scan(1000)
    starts = np.array([0, 100, 200, 300, 400])
    suspicious = np.array([False, False, True, True, False])
    assert refine_windows(track, scan, starts, suspicious, 2).tolist() == [150, 350]
    assert refine_windows(track, scan, starts, suspicious, 9).tolist() == [150, 250, 350]
    assert refine_windows(track, scan, starts, np.zeros(5, bool), 9).tolist() == []
    assert refine_windows(track, scan, np.array([0, 10]), np.array([True, False]), 9).tolist() == []
