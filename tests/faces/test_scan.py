"""Scan of a video in one pass: times, samples, cuts, and mouth motion."""

from fractions import Fraction

import numpy as np
import pytest

from lipfd_jax.faces.finders import Face
from lipfd_jax.faces.mouths import MOTION
from lipfd_jax.faces.scan import _Scanner, scan_video
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.preprocessing.containers import Damage, open_container, read_promised_seconds
from tests.scans import make_clock

RNG = np.random.default_rng(0)
SCENES = [np.kron(RNG.integers(0, 255, (6, 8, 3), np.uint8), np.ones((20, 20, 1), np.uint8)) for _ in "ab"]


def _found(picture):
    return [Face(40, 20, 100, 100, True, "dlib")]


@pytest.fixture(scope="module")
def video(film, tmp_path_factory):
    """Two scenes of two seconds; in the second the mouth of the only face flickers."""
    pictures = [SCENES[0]] * 50 + [SCENES[1].copy() for _ in range(50)]
    for number, picture in enumerate(pictures[50:]):
        picture[70:96, 56:84] = 40 if number % 2 else 220
    return film(tmp_path_factory.mktemp("scan") / "a.mp4", pictures)


def test_samples_come_five_times_a_second_and_the_cut_is_seen(video):
    found = scan_video(video, _found)
    assert (found.width, found.height, len(found.times)) == (160, 120, 100)
    assert found.fps == pytest.approx(25)
    assert [s.frame for s in found.samples] == list(range(0, 100, 5))
    assert [s.frame for s in found.samples if s.cut] == [50]
    assert found.seekable
    assert found.corrupt == 0


def test_a_camera_that_pans_is_no_cut(film, tmp_path):
    blocks = np.random.default_rng(0).choice(np.uint8([0, 255]), (3, 20, 1)).repeat(3, axis=2)
    wide = blocks.repeat(40, axis=0).repeat(60, axis=1)
    pictures = [wide[:, 12 * number : 12 * number + 160] for number in range(60)]
    assert not any(sample.cut for sample in scan_video(film(tmp_path / "a.mp4", pictures), None).samples)
    leap = pictures[:31] + pictures[:30]
    cuts = [s.frame for s in scan_video(film(tmp_path / "b.mp4", leap), None).samples if s.cut]
    assert cuts == [35]


def test_motion_is_that_of_the_mouth(video):
    still, moving = (
        np.concatenate([s.mouths[0][1:, MOTION] for s in part]) for part in _halves(scan_video(video, _found))
    )
    assert still.max() < 2
    assert moving.min() > 50


def _halves(found):
    return found.samples[:10], found.samples[10:]


def test_without_a_finder_no_faces_are_found(video):
    found = scan_video(video, None)
    assert not any(sample.faces for sample in found.samples)
    assert (found.width, found.height, len(found.times)) == (160, 120, 100)


def test_thumbnails_are_few_and_even_however_long_the_video(film, tmp_path):
    found = scan_video(film(tmp_path / "a.mp4", [SCENES[0]] * 130, fps=5), None)
    times = [thumbnail.time for thumbnail in found.thumbnails]
    np.testing.assert_allclose(np.diff(times), 0.4, atol=1e-3)
    assert times[-1] > 25
    assert found.thumbnails[0].image.shape == (72, 96, 3)


def test_progress_is_told_in_seconds(video):
    told = []
    scan_video(video, None, progress=lambda *seconds: told.append(seconds))
    assert [done for done, _ in told] == pytest.approx([1.0, 2.0, 3.0])
    assert {total for _, total in told} == {read_promised_seconds(video)}


def test_frames_without_times_are_counted():
    import av

    from lipfd_jax.faces.scan import _Scanner

    scanner = _Scanner(None, make_clock(np.arange(10) * 0.04, counted=True))
    for _ in range(10):
        frame = av.VideoFrame.from_ndarray(SCENES[0], format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        scanner.add_frame(frame)
    found = scanner.finish(Damage())
    assert not found.seekable
    np.testing.assert_allclose(found.times, np.arange(10) * 0.04)
    assert found.fps == pytest.approx(25)


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_text("a shopping list")
    with pytest.raises(ClipError, match=r"a\.mp4"):
        scan_video(tmp_path / "a.mp4", None)


@pytest.fixture(scope="module")
def spoilt(film, spoil, tmp_path_factory):
    """Four seconds of noise with a key frame every second; the frame at 1.4 s is damaged."""
    pictures = np.random.default_rng(1).integers(0, 255, (100, 64, 96, 3), np.uint8)
    path = film(tmp_path_factory.mktemp("spoilt") / "a.mp4", pictures)
    spoil(path, "video", 1.4)
    return path


def test_damage_is_refused_unless_told_otherwise(spoilt):
    with pytest.raises(ClipError, match=r"a\.mp4: damaged: .*--damaged=keep"):
        scan_video(spoilt, None)


@pytest.mark.parametrize("threaded", [0, 1 << 30])
def test_damage_reaches_to_the_next_key_frame(spoilt, monkeypatch, threaded):
    monkeypatch.setattr("lipfd_jax.faces.scan._THREADED_PIXELS", threaded)
    found = scan_video(spoilt, None, damage=Damage("keep"))
    assert found.corrupt >= 1
    shown = found.times[found.damaged]
    assert shown[0] == pytest.approx(1.4 - 0.25, abs=0.05)
    assert shown[-1] == pytest.approx(2.0 - 0.04, abs=0.01)
    assert found.damaged.sum() in range(20, 22)


def test_damage_that_no_time_is_known_of_counts_where_it_was_met(spoilt):
    data, found = Damage("keep"), scan_video(spoilt, None, damage=Damage("keep"))
    scanner = _Scanner(None, make_clock(np.arange(100) * 0.04, counted=True))
    with open_container(spoilt) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == 60:
                break
            scanner.add_frame(frame)
    before = scanner.finish(data).damaged.sum()
    scanner.note_damage()
    assert scanner.finish(data).damaged.sum() > before
    assert scanner.finish(data).damaged[-1]
    assert found.seekable
