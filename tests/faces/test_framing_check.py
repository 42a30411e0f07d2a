"""The look at a few clips before a build: whether their frames are cropped to a face."""

import numpy as np
import pytest

from lipfd_jax.faces import framing_check
from lipfd_jax.faces.finders import Face, MissingFinder
from lipfd_jax.faces.framing_check import check_framing
from lipfd_jax.listing.clips import Clip


@pytest.fixture
def clips(film, tmp_path):
    """Twenty clips, of which every real one is white and every forged one black."""
    frames = {0: np.full((6, 96, 128, 3), 255, np.uint8), 1: np.zeros((6, 96, 128, 3), np.uint8)}
    paths = {label: film(tmp_path / f"{label}.mp4", frames[label]) for label in frames}
    return [Clip(f"{n % 2}/{n}", paths[n % 2], None, n % 2, str(n)) for n in range(20)]


def _find(white, black):
    """A finder of one face of this width in white and black frames; None finds none."""
    seen = []

    def find(frame):
        width = white if frame.mean() > 128 else black
        seen.append(width)
        return [] if width is None else [Face(0, 0, width, 64, frontal=True, finder="dlib")]

    return find, seen


def test_cropped_clips_get_no_note_and_few_are_looked_at(clips):
    find, seen = _find(80, 80)
    assert check_framing(clips, "crop", find) == ()
    assert 12 <= len(seen) <= 24


def test_small_faces_are_named_with_their_share_and_the_remedy(clips):
    (note,) = check_framing(clips, "build with --crop=faces", _find(80, 12)[0])
    assert "faces are small in 6 of 12 clips looked at, such as 1/1: they fill 6 % of the picture" in note
    assert note.endswith("build with --crop=faces")


def test_clips_without_a_face_are_named(clips):
    (note,) = check_framing(clips, "crop", _find(80, None)[0])
    assert "no face was found in 6 of 12 clips looked at, such as 1/1" in note


def test_clips_that_can_not_be_read_are_left_to_the_build(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    clips = [Clip(f"0/{name}", tmp_path / name, None, 0, name) for name in ("a.mp4", "gone.mp4")]
    assert check_framing(clips, "crop", _find(1, 1)[0]) == ()
    assert check_framing([], "crop", _find(1, 1)[0]) == ()


def test_without_a_finder_one_line_says_so(clips, monkeypatch):
    def missing():
        raise MissingFinder

    monkeypatch.setattr(framing_check, "default_finder", missing)
    (note,) = check_framing(clips, "crop")
    assert "not checked, as no face detector is installed" in note


def test_real_clips(media):
    clips = {
        name: Clip(f"0_real/{name}", media / path, None, 0, name)
        for name, path in {"crop": "AVLips/0_real/0.mp4", "scene": "real/hyper_video1.mp4"}.items()
    }
    assert check_framing([clips["crop"]], "crop") == ()
    (note,) = check_framing([clips["scene"]], "crop")
    assert "faces are small in 1 of 1 clips looked at, such as 0_real/scene: they fill 6 %" in note
