"""Interlaced frames are deinterlaced, one for one; progressive ones are the same objects."""

import av
import numpy as np
import pytest

from lipfd_jax.preprocessing.deinterlacing import deinterlace_frames
from tests.preprocessing.drawn_pictures import (
    SIZE,
    draw_pictures,
    flag_interlaced,
    interlace,
    to_frames,
    write_frames,
)

CODED = {
    "mpeg2video": ("mpg", {"flags": "+ilme+ildct", "qmin": "1", "qmax": "2", "g": "6"}),
    "libx264": ("mp4", {"flags": "+ilme+ildct"}),
    "ffv1": ("mkv", {}),
}


def _decode(path):
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


def _interlaced(count=12, top_first=True, size=SIZE):
    woven = interlace(draw_pictures(2 * count, size, fps=50), top_first)
    return flag_interlaced(to_frames(woven, "yuv420p"), top_first)


def _differ(frames, expected):
    shown = (frame.to_ndarray(format="rgb24").astype(int) for frame in frames)
    return np.mean([np.abs(image - picture).mean() for image, picture in zip(shown, expected, strict=True)])


@pytest.mark.parametrize("codec", CODED)
@pytest.mark.parametrize("top_first", [True, False])
def test_interlaced_pictures_are_like_progressive_ones(tmp_path, codec, top_first):
    suffix, options = CODED[codec]
    if codec == "libx264":
        options = options | {"x264-params": "tff=1" if top_first else "bff=1"}
    path = write_frames(tmp_path / f"a.{suffix}", _interlaced(top_first=top_first), codec, **options)
    frames = list(_decode(path))
    assert all(frame.interlaced_frame for frame in frames)
    expected = draw_pictures(12)
    raw, shown = _differ(frames, expected), _differ(deinterlace_frames(frames), expected)
    plain = write_frames(tmp_path / f"plain.{suffix}", to_frames(expected), codec)
    assert shown < raw - 0.2
    assert shown < _differ(_decode(plain), expected) + 0.4


def test_number_times_and_flags_stay(tmp_path):
    suffix, options = CODED["mpeg2video"]
    path = write_frames(tmp_path / f"a.{suffix}", _interlaced(), "mpeg2video", **options)

    def facts(frames):
        return [
            (f.pts, f.dts, f.time_base, f.time, f.duration, f.key_frame, f.is_corrupt, f.format.name)
            for f in frames
        ]

    assert facts(deinterlace_frames(_decode(path))) == facts(_decode(path))


def test_progressive_frames_are_not_touched():
    frames = to_frames(draw_pictures(5))
    passing = deinterlace_frames(iter(frames))
    assert [frame is next(passing) for frame in frames] == [True] * 5
    assert next(passing, None) is None


def test_only_the_interlaced_frames_of_a_mixed_file_change():
    kinds = [False] * 3 + [True] * 4 + [False] * 5 + [True]
    frames = [
        woven if kind else plain
        for kind, woven, plain in zip(kinds, _interlaced(13), to_frames(draw_pictures(13)), strict=True)
    ]
    made = list(deinterlace_frames(iter(frames)))
    assert [new is old for new, old in zip(made, frames, strict=True)] == [not kind for kind in kinds]
    assert _differ(made, draw_pictures(13)) < _differ(frames, draw_pictures(13))


@pytest.mark.parametrize("begin", range(1, 8))
def test_frames_are_the_same_wherever_decoding_began(begin):
    frames = [*to_frames(draw_pictures(3)), *_interlaced(9)]
    whole, later = list(deinterlace_frames(iter(frames))), list(deinterlace_frames(iter(frames[begin:])))
    assert len(later) == len(frames) - begin
    for one, other in zip(whole[begin + 1 :], later[1:], strict=True):
        np.testing.assert_array_equal(one.to_ndarray(), other.to_ndarray())


def test_size_and_format_may_change_on_the_way():
    frames = [
        *_interlaced(4),
        *_interlaced(1, size=(64, 64)),
        *_interlaced(3, size=(64, 64)),
        *to_frames(draw_pictures(2)),
        *flag_interlaced(to_frames(draw_pictures(3), "nv12")),
        *flag_interlaced(to_frames(draw_pictures(3, (2, 2)))),
    ]
    made = list(deinterlace_frames(iter(frames)))
    assert [(frame.width, frame.height, frame.pts) for frame in made] == [
        (frame.width, frame.height, frame.pts) for frame in frames
    ]


def test_frames_without_times_pass():
    frames = _interlaced(3)
    for frame in frames:
        frame.pts = None
    assert [frame.pts for frame in deinterlace_frames(iter(frames))] == [None] * 3
