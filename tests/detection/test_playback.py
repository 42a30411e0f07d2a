"""Which files browsers play: the page names what keeps them from it."""

import dataclasses

import pytest

from lipfd_jax.detection.playback import describe_obstacles, has_mute_sound
from lipfd_jax.detection.result import FileFacts

PLAYED = FileFacts(
    name="a.mp4", sha256="0", bytes=1, seconds=1.0, frames=25, width=64, height=64, fps=25.0,
    container="mov,mp4,m4a,3gp,3g2,mj2",
    video={"codec": "h264", "bit_rate": None, "pixel_format": "yuv420p"},
    sound={"codec": "aac", "bit_rate": None, "rate": 16000, "channels": 1},
)  # fmt: skip


def _with(codec, container=PLAYED.container, colours="yuv420p"):
    return dataclasses.replace(
        PLAYED, container=container, video={"codec": codec, "bit_rate": None, "pixel_format": colours}
    )


@pytest.mark.parametrize(
    "file", [PLAYED, _with("vp9", "matroska,webm"), _with("libdav1d"), _with("vp8", "matroska,webm")]
)
def test_what_browsers_play_has_no_obstacle(file):
    assert describe_obstacles(file) == ""
    assert not has_mute_sound(file)


@pytest.mark.parametrize(
    ("file", "named"),
    [
        (_with("h264", "matroska,webm"), ["MKV"]),
        (_with("mpeg4", "avi"), ["AVI", "MPEG-4 Part 2"]),
        (_with("hevc"), ["H.265 (HEVC)"]),
        (_with("h264", "mpegts"), ["MPEG-TS"]),
        (_with("h264", colours="yuv422p10le"), ["yuv422p10le"]),
        (_with("prores", "mxf"), ["MXF", "prores"]),
        (_with("strange", ""), ["unknown", "strange"]),
    ],
)
def test_what_keeps_browsers_from_playing_is_named(file, named):
    assert all(name in describe_obstacles(file) for name in named)


def test_sound_that_browsers_leave_out_is_known():
    assert has_mute_sound(dataclasses.replace(PLAYED, sound={**PLAYED.sound, "codec": "ac3"}))
    assert not has_mute_sound(dataclasses.replace(PLAYED, sound=None))
