"""Joins of recordings, from times of packets alone: found where clocks start anew, and nowhere else."""

from dataclasses import replace

import numpy as np

from lipfd_jax.preprocessing.joins import Join, find_audio_breaks, find_video_breaks, pair_breaks
from lipfd_jax.preprocessing.packets import NO_PACKETS, PacketTimes, drop_outliers, fill_times

ORDER = np.array([0, 3, 1, 2])  # of frames in the file, within four: two B-frames


def _reorder(times):
    """Times in the order of the file."""
    groups = [times[k : k + 4] for k in range(0, len(times), 4)]
    return np.concatenate([group[ORDER[len(group) > ORDER]] for group in groups])


def _make_times(shown, decoded, places, keys) -> PacketTimes:
    return replace(NO_PACKETS, shown=shown, decoded=decoded, places=places, keys=keys)


def _video(*parts, keys=None):
    """Packets of recordings (times, in order of presentation), each with a key frame at its beginning."""
    shown = np.concatenate([_reorder(np.asarray(part)) for part in parts])
    first = np.cumsum([0, *map(len, parts)])[:-1]
    key = np.zeros(len(shown), bool)
    key[first if keys is None else keys] = True
    nan = np.full(len(shown), np.nan)
    return _make_times(shown, nan, 2 * np.arange(len(shown)), key)


def _audio(*parts):
    shown = np.concatenate([np.asarray(part, float) for part in parts])
    return _make_times(shown, shown, 2 * np.arange(len(shown)) + 1, np.ones(len(shown), bool))


def _frames(seconds, start=0.0):
    return start + np.arange(round(seconds * 25)) / 25


def _joins(video, audio):
    return pair_breaks(
        video, audio, find_video_breaks(video, trust_decode_times=False), find_audio_breaks(audio)
    )


def test_reordered_frames_are_no_break():
    assert find_video_breaks(_video(_frames(8)), trust_decode_times=False) == []
    holed = np.concatenate([_frames(2), _frames(2, 4.0)])  # a hole that frames are reordered across
    assert [k for k in find_video_breaks(_video(holed), trust_decode_times=False) if k > 52] == []


def test_a_key_frame_before_what_was_shown_begins_a_recording():
    video, audio = _video(_frames(4), _frames(4)), _audio(_frames(4), _frames(4))
    assert _joins(video, audio) == [Join(100, 100)]


def test_a_recording_that_begins_without_a_key_frame_is_found_by_its_distance():
    video = _video(_frames(4), _frames(4), keys=[0])
    (found,) = find_video_breaks(video, trust_decode_times=False)
    assert abs(found - 100) <= 1
    trusted = replace(video, decoded=np.concatenate([_frames(4), _frames(4)]))
    assert 100 in find_video_breaks(trusted, trust_decode_times=True)


def test_many_short_recordings_are_told_apart():
    parts = [_frames(0.6)] * 5
    assert _joins(_video(*parts), _audio(*parts)) == [Join(15 * k, 15 * k) for k in range(1, 5)]


def test_sound_that_overlaps_a_little_is_no_join():
    audio = _audio(_frames(2), _frames(2, 1.9))
    assert _joins(_video(_frames(4)), audio) == []


def test_sound_alone_that_starts_anew_is_uncertain():
    joins = _joins(_video(_frames(6)), _audio(_frames(3), _frames(3, 0.5)))
    assert joins == [Join(None, 75, certain=False)]


def test_a_picture_that_starts_anew_after_the_sound_has_ended_is_certain():
    video = _video(_frames(60), _frames(4))
    assert _joins(video, _audio(_frames(2))) == [Join(1500, None)]


def test_sound_that_begins_in_the_second_recording_shares_its_clock():
    video = _video(_frames(4), _frames(4))
    audio = _audio(_frames(4))
    for early in (-60, 0, 20):  # packets by which the sound begins before, or after, the picture starts anew
        places = audio.places + 200 - early
        late = replace(audio, places=places)
        assert _joins(video, late) == [Join(100, 0)]


def test_a_picture_that_begins_in_the_second_recording_shares_its_clock():
    video, audio = _video(_frames(4)), _audio(_frames(4), _frames(4))
    late = replace(video, places=video.places + 200)
    assert _joins(late, audio) == [Join(0, 100)]


def test_a_picture_that_ends_before_the_sound_starts_anew_is_certain():
    video, audio = _video(_frames(4)), _audio(_frames(4), _frames(4))
    places = video.places.copy()
    places[-2:] += 200  # as parsers hold the last packets back
    held = replace(video, places=places)
    assert _joins(held, audio) == [Join(None, 100)]


def test_small_steps_back_after_a_join_are_no_joins():
    second = np.concatenate([_frames(1), _frames(1, 0.9), _frames(1, 1.8)])
    joins = _joins(_video(_frames(4), _frames(3)), _audio(_frames(4), second))
    assert joins == [Join(100, 100)]


def test_a_leap_ahead_counts_where_both_leap():
    both = _joins(_video(_frames(4), _frames(4, 60)), _audio(_frames(4), _frames(4, 60)))
    assert both == [Join(100, 100)]
    assert _joins(_video(_frames(4), _frames(4, 60)), _audio(_frames(8))) == []


def test_single_impossible_times_are_missing():
    times = _frames(4)
    spoilt = times.copy()
    spoilt[[0, 40, 99]] = [5000, -300, 77]
    np.testing.assert_array_equal(np.isnan(drop_outliers(spoilt)), spoilt != times)
    joined = np.concatenate([times, times + 1000])
    np.testing.assert_array_equal(drop_outliers(joined), joined)


def test_missing_times_come_from_the_gaps_around_them():
    times, decoded = _reorder(_frames(2)), np.full(50, np.nan)
    for number in (0, 7, 23, 48):
        spoilt = times.copy()
        spoilt[number] = np.nan
        np.testing.assert_allclose(np.sort(fill_times(spoilt, decoded, 0.04)), _frames(2), atol=1e-9)
    none = np.full(50, np.nan)
    np.testing.assert_allclose(fill_times(none, decoded, 0.04), _frames(2))
    np.testing.assert_allclose(fill_times(none, _frames(2, 3.0), 0.04), _frames(2, 3.0))


def test_many_missing_times_are_filled_from_their_own_neighbours():
    times = np.arange(40_000) / 25
    holed = times.copy()
    holed[1::2] = np.nan
    nothing = np.full(len(times), np.nan)
    np.testing.assert_allclose(np.sort(fill_times(holed, nothing, 0.04)), times, atol=1e-9)
    few = np.where(np.arange(len(times)) % 50 == 20, times, np.nan)
    np.testing.assert_allclose(fill_times(few, nothing, 0.04), times, atol=1e-9)


def test_a_stream_that_is_missing_has_no_breaks():
    video = _video(_frames(4), _frames(4))
    assert _joins(video, NO_PACKETS) == [Join(100, None)]
    assert _joins(NO_PACKETS, _audio(_frames(4), _frames(4))) == [Join(None, 100)]


def test_sound_of_uneasy_times_has_no_joins():
    times = _frames(800)
    assert _joins(_video(_frames(2)), _audio(times - 0.2 * (np.arange(len(times)) % 2))) == []
