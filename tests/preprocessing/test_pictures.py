"""Pictures as they are meant: each against the same clip made plain."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from lipfd_jax.faces.scan import scan_video
from lipfd_jax.faces.window_reader import WindowRequest, read_windows
from lipfd_jax.preprocessing import pictures as module
from lipfd_jax.preprocessing.containers import Damage, decode_frames, open_container
from lipfd_jax.preprocessing.pictures import Pictures, read_brightness, shrink_to_rgb, to_rgb
from lipfd_jax.preprocessing.video import find_video_stream, read_frames
from lipfd_jax.vocabulary import TILE
from tests.preprocessing.drawn_pictures import (
    SIZE,
    draw_pictures,
    flag_interlaced,
    interlace,
    set_matrix,
    to_frames,
    write_frames,
)

ONE = 1 << 16
# Rows of the display matrix, and what turns a picture as shown into the one coded.
ORIENTATIONS = {
    "upright": ((1, 0, 0, 1), lambda p: p),
    "mirrored": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda p: p[::-1]),
    "half turn": ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
    "transposed": ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    "quarter right": ((0, 1, -1, 0), lambda p: np.rot90(p)),
    "quarter left": ((0, -1, 1, 0), lambda p: np.rot90(p, -1)),
    "anti-transposed": ((0, -1, -1, 0), lambda p: p[::-1, ::-1].swapaxes(0, 1)),
}


def _read(path, convention="paper"):
    """All frames as RGB and their brightness."""
    reformatter, shown = VideoReformatter(), []
    with open_container(path) as container:
        stream = find_video_stream(path, container)
        prepared = Pictures(path, stream, convention).prepare(
            decode_frames(path, container, stream, Damage())
        )
        for frame in prepared:
            shown.append((to_rgb(frame, reformatter, convention), read_brightness(frame, reformatter).copy()))
    return shown


def _differ(shown, expected):
    """Mean difference in grey levels."""
    return np.mean(
        [np.abs(a.astype(int) - b.astype(int)).mean() for a, b in zip(shown, expected, strict=True)]
    )


def _assert_like(path, expected, most=2.0):
    shown, brightness = zip(*_read(path), strict=True)
    assert shown[0].shape == expected[0].shape
    assert brightness[0].shape == expected[0].shape[:2]
    assert _differ(shown, expected) < most
    grey = [16 + cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) * (219 / 255) for picture in expected]
    assert _differ(brightness, grey) < most + 4  # weights of the colours differ


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_the_whole_display_matrix_is_followed(tmp_path, name):
    entries, undo = ORIENTATIONS[name]
    expected = draw_pictures()
    coded = [np.ascontiguousarray(undo(picture)) for picture in expected]
    path = write_frames(tmp_path / "a.mp4", to_frames(coded))
    _assert_like(set_matrix(path, *(ONE * entry for entry in entries)), expected)


@pytest.mark.parametrize(
    "entries",
    [
        (0, 0, 0, 0),
        (ONE * 9 // 10, ONE * 4 // 10, -ONE * 4 // 10, ONE * 9 // 10),  # 24 degrees
        (ONE // 2, 0, 0, ONE // 2),
        (2**31 - 1, -(2**31), 2**31 - 1, 2**31 - 1),
        (1, 1, 1, 1),
    ],
)
def test_other_matrices_show_the_nearest_orientation(tmp_path, entries):
    path = write_frames(tmp_path / "a.mp4", to_frames(draw_pictures(3)))
    for shown, _ in _read(set_matrix(path, *entries)):
        assert sorted(shown.shape[:2]) == sorted(SIZE)


@pytest.mark.parametrize(
    ("codec", "suffix", "aspect"),
    [
        ("libx264", "mp4", Fraction(64, 45)),
        ("libx264", "ts", Fraction(3, 4)),
        ("libx264", "mkv", Fraction(4)),
        ("mpeg4", "avi", Fraction(16, 15)),
        ("mpeg2video", "mpg", Fraction(4, 3)),  # 16:9; it knows few others
    ],
)
def test_pixels_that_are_not_square_are_stretched(tmp_path, codec, suffix, aspect):
    height, width = SIZE
    shape = (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)
    squeezed = [cv2.resize(p, SIZE[::-1], interpolation=cv2.INTER_AREA) for p in draw_pictures(5, shape)]
    options = {} if codec == "libx264" else {"qmin": "1", "qmax": "2"}
    path = write_frames(tmp_path / f"a.{suffix}", to_frames(squeezed), codec, aspect, **options)
    _assert_like(path, draw_pictures(5, shape), most=3.5)


def test_pixels_nearly_square_and_nonsense_are_left(tmp_path):
    for number, aspect in enumerate((Fraction(406, 405), Fraction(255), Fraction(1, 255), Fraction(200, 3))):
        path = write_frames(tmp_path / f"{number}.mp4", to_frames(draw_pictures(3)), aspect=aspect)
        assert _read(path)[0][0].shape[:2] == SIZE


def test_a_stretched_picture_takes_no_more_memory_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LARGEST_STRETCHED", SIZE[0] * SIZE[1] * 2)
    path = write_frames(tmp_path / "a.mp4", to_frames(draw_pictures(3)), aspect=Fraction(4))
    shown, brightness = _read(path)[0]
    assert shown.shape[:2] == brightness.shape == (SIZE[0] // 4, SIZE[1])
    path = write_frames(tmp_path / "b.mp4", to_frames(draw_pictures(3)), aspect=Fraction(1, 4))
    assert _read(path)[0][0].shape[:2] == (SIZE[0], SIZE[1] // 4)


def test_the_containers_pixel_aspect_counts_before_the_codecs(tmp_path):
    path = write_frames(tmp_path / "a.mp4", to_frames(draw_pictures(3)), aspect=Fraction(4, 3))
    data = bytearray(path.read_bytes())
    place = data.index(b"pasp") + 4
    assert data[place : place + 8] == bytes([0, 0, 0, 4, 0, 0, 0, 3])
    data[place : place + 8] = bytes([0, 0, 0, 2, 0, 0, 0, 1])
    path.write_bytes(data)
    assert _read(path)[0][0].shape[1] == 2 * SIZE[1]


def test_the_pixel_aspect_may_change_on_the_way(tmp_path):
    parts = [
        write_frames(
            tmp_path / f"{number}.mpg", to_frames(draw_pictures(10)), "mpeg2video", aspect, g="6", bf="2"
        ).read_bytes()
        for number, aspect in enumerate((Fraction(1), Fraction(4, 3)))
    ]
    path = tmp_path / "joined.mpg"
    path.write_bytes(b"".join(parts))
    widths = [shown.shape[1] for shown, _ in _read(path)]
    assert sorted(set(widths)) == [SIZE[1], round(SIZE[1] * 4 / 3)]
    assert widths == sorted(widths)
    assert widths.count(widths[0]) == 10


# Tags of ITU-T H.273: colorspace (matrix), color_range, color_primaries, color_trc.
@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"colorspace": 1},
        {"colorspace": 5},
        {"colorspace": 6},
        {"colorspace": 7},
        {"colorspace": 9},
        {"color_range": 2},
        {"colorspace": 1, "color_range": 2},
        {"colorspace": 1, "color_range": 1, "color_primaries": 1, "color_trc": 1},
    ],
    ids=str,
)
def test_matrix_and_range_are_those_of_the_tags(tmp_path, tags):
    expected = draw_pictures(3)
    _assert_like(write_frames(tmp_path / "a.mkv", to_frames(expected, "yuv444p", **tags), "ffv1"), expected)


@pytest.mark.parametrize(
    ("pixels", "codec", "suffix"),
    [
        ("yuvj420p", "libx264", "mp4"),
        ("nv12", "rawvideo", "avi"),
        ("yuv422p10le", "prores_ks", "mov"),
        ("yuv420p10le", "libx265", "mp4"),
        ("yuva420p", "ffv1", "mkv"),
        ("bgr0", "ffv1", "mkv"),
        ("gbrp16le", "ffv1", "mkv"),
        ("yuv411p", "ffv1", "mkv"),
        ("yuyv422", "rawvideo", "avi"),
        ("bgr24", "rawvideo", "avi"),
    ],
)
def test_every_pixel_format_shows_the_same(tmp_path, pixels, codec, suffix):
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV has no {codec}")
    expected = draw_pictures(4)
    tags = {"color_range": 2} if pixels == "yuvj420p" else {}
    options = {"x265-params": "log-level=none:crf=4"} if codec == "libx265" else {}
    _assert_like(
        write_frames(tmp_path / f"a.{suffix}", to_frames(expected, pixels, **tags), codec, **options),
        expected,
        most=3.0,
    )


def test_grey_pictures_are_shown(tmp_path):
    grey = [np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2) for p in draw_pictures(3)]
    for pixels in ("gray", "gray10le"):
        path = write_frames(tmp_path / f"{pixels}.mkv", to_frames(grey, pixels), "ffv1")
        _assert_like(path, grey)


def _oetf_pq(nits):
    light = (nits / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * light) / (1 + 18.6875 * light)) ** 78.84375


def _oetf_hlg(nits):
    scene = (nits / 1000) ** (1 / 1.2)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])  # BT.2087
_TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
GRADES = {
    "HLG": (_TO_2020, lambda light: _oetf_hlg(203 * light), 9, 9, 18),
    "HLG, white at 100 nits": (_TO_2020, lambda light: _oetf_hlg(100 * light), 9, 9, 18),
    "HLG by its transfer only": (_TO_2020, lambda light: _oetf_hlg(203 * light), 9, 2, 18),
    "PQ": (_TO_2020, lambda light: _oetf_pq(203 * light), 9, 9, 16),
    "PQ, white at 100 nits": (_TO_2020, lambda light: _oetf_pq(100 * light), 9, 9, 16),
    "BT.2020": (_TO_2020, lambda light: light ** (1 / 2.4), 9, 9, 14),
    "Display P3": (_TO_P3, lambda light: light ** (1 / 2.4), 1, 12, 1),
}


def _grade(picture, name):
    """The same picture, (height, width, 3) uint16 RGB, in other colours."""
    mixing, encode, *_ = GRADES[name]
    signal = encode(np.clip((picture / 255) ** 2.4 @ mixing.T, 0, 1))
    return np.round(np.clip(signal, 0, 1) * 65535).astype(np.uint16)


@pytest.mark.parametrize("name", GRADES)
def test_high_dynamic_range_and_wide_gamut_show_the_plain_picture(tmp_path, name):
    *_, matrix, primaries, transfer = GRADES[name]
    expected = draw_pictures(4)
    graded = [_grade(picture, name) for picture in expected]
    frames = to_frames(graded, "yuv420p10le", colorspace=matrix, color_range=1)
    for frame in frames:
        frame.color_primaries, frame.color_trc = primaries, transfer
    _assert_like(write_frames(tmp_path / "a.mkv", frames, "ffv1"), expected, most=3.0)


def test_released_pictures_are_rotated_and_nothing_else(tmp_path):
    path = write_frames(tmp_path / "a.mp4", to_frames(draw_pictures(4)), aspect=Fraction(4, 3))
    capture = cv2.VideoCapture(str(set_matrix(path, 0, ONE, -ONE, 0)))
    for shown, _ in _read(path, "released"):
        np.testing.assert_array_equal(shown, cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB))


def test_released_pictures_of_high_dynamic_range_stay_as_coded(tmp_path):
    graded = [_grade(picture, "HLG") for picture in draw_pictures(3)]
    frames = to_frames(graded, "yuv420p10le", colorspace=9)
    for frame in frames:
        frame.color_primaries, frame.color_trc = 9, 18
    shown = [image for image, _ in _read(write_frames(tmp_path / "a.mkv", frames, "ffv1"), "released")]
    assert _differ(shown, [picture // 257 for picture in graded]) < 2


def _write_plain(folder):
    return write_frames(folder / "plain.mp4", to_frames(draw_pictures(60)), g="10")


def _write_mirrored(folder):
    coded = [np.ascontiguousarray(picture[:, ::-1]) for picture in draw_pictures(60)]
    return set_matrix(write_frames(folder / "mirrored.mp4", to_frames(coded), g="10"), -ONE, 0, 0, ONE)


def _write_anamorphic(folder):
    size = SIZE[1] * 3 // 4, SIZE[0]
    coded = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in draw_pictures(60)]
    return write_frames(folder / "anamorphic.mp4", to_frames(coded), aspect=Fraction(4, 3), g="10")


def _write_interlaced(folder):
    woven = interlace(draw_pictures(120, fps=50))
    options = {"flags": "+ilme+ildct", "x264-params": "tff=1", "g": "10"}
    return write_frames(folder / "interlaced.mp4", flag_interlaced(to_frames(woven)), **options)


def _write_hlg(folder):
    frames = to_frames([_grade(picture, "HLG") for picture in draw_pictures(60)], "yuv420p10le", colorspace=9)
    for frame in frames:
        frame.color_primaries, frame.color_trc = 9, 18
    return write_frames(folder / "hlg.mkv", frames, "ffv1")


@pytest.mark.parametrize(
    "write", [_write_plain, _write_mirrored, _write_anamorphic, _write_interlaced, _write_hlg]
)
def test_builds_scans_and_windows_show_the_plain_clip(tmp_path, monkeypatch, write):
    plain, path = _write_plain(tmp_path), write(tmp_path)
    numbers = (0, 20, 30, 59)
    expected = read_frames(plain, numbers).frames
    built = read_frames(path, numbers).frames
    assert _differ([built[k] for k in numbers], [expected[k] for k in numbers]) < 3
    monkeypatch.setattr("lipfd_jax.faces.scan._CACHE_BYTES", 0)  # so that windows are sought in the file
    monkeypatch.setattr("lipfd_jax.faces.window_reader._SEEK_SECONDS", 0.2)
    scan = scan_video(path, None)
    assert (scan.height, scan.width) == SIZE
    assert not scan.cached_frames
    one, other = (s.thumbnails[0].image for s in (scan, scan_video(plain, None)))
    assert _differ([one], [other]) < 3
    wanted = [WindowRequest(0, tuple(range(start, start + 5)), None, side=TILE) for start in (0, 20, 40)]
    whole = read_frames(path, range(60), whole=True).frames
    for window, frames in read_windows(path, scan, wanted):
        for number, frame in zip(window.frames, frames, strict=True):
            np.testing.assert_array_equal(frame, whole[number])


def test_released_windows_keep_interlaced_pictures(tmp_path):
    path = _write_interlaced(tmp_path)
    shown = read_frames(path, range(60), convention="released").frames
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            np.testing.assert_array_equal(shown[number], to_rgb(frame, VideoReformatter(), "released"))
    assert _differ([shown[3]], [read_frames(path, {3}).frames[3]]) > 0.1


@pytest.mark.parametrize("write", [_write_plain, _write_mirrored, _write_anamorphic, _write_hlg])
def test_shrunk_pictures_show_the_whole_one(tmp_path, write):
    path, reformatter = write(tmp_path), VideoReformatter()
    with open_container(path) as container:
        stream = find_video_stream(path, container)
        decoded = decode_frames(path, container, stream, Damage())
        frame = next(Pictures(path, stream).prepare(decoded))
        whole = to_rgb(frame, reformatter)
        size = whole.shape[1] // 2, whole.shape[0] // 2
        shrunk = shrink_to_rgb(frame, reformatter, size)
    assert _differ([shrunk], [cv2.resize(whole, size, interpolation=cv2.INTER_AREA)]) < 2.5
