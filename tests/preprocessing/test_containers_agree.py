"""A clip gives the same windows in every container and codec, in builds and in detection, sound in step."""

import numpy as np
import pytest

from tests.coded import TOLERANCE, UNDISTURBED, build_windows, detect_windows, write_coded
from tests.media_files import FORMS

SECONDS = 2.0
_FAILING = {
    "wmv": "its sound begins within the first frame, which detection does not judge",
}


def _mark(name):
    reason = _FAILING.get(name)
    return pytest.param(name, marks=[pytest.mark.xfail(reason=reason, strict=False)] if reason else [])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The frames' times of the windows in mp4."""
    path = write_coded(tmp_path_factory.mktemp("plain") / "a.mp4", SECONDS)
    return [window.frames for window in build_windows(path)]


@pytest.mark.parametrize("name", [*map(_mark, FORMS)])
def test_windows_are_those_of_mp4_and_sound_is_in_step(tmp_path, plain, name):
    form = FORMS[name]
    path = write_coded(tmp_path / f"a.{form.suffix}", SECONDS, form)
    built, (detected, _) = build_windows(path), detect_windows(path)
    assert [window.frames for window in built] == plain
    assert [window.frames for window in detected] == plain
    offs = np.array([window.off for window in (*built, *detected)])
    assert np.abs(offs - UNDISTURBED).max() <= TOLERANCE, offs.round(3)


@pytest.mark.parametrize("start", [1.0, 100.0, 2**33 / 90000 - 1.0])
def test_where_the_clock_begins_does_not_matter(tmp_path, plain, start):
    path = write_coded(tmp_path / "a.ts", SECONDS, FORMS["ts h264"], start=start)
    built, (detected, _) = build_windows(path), detect_windows(path)
    assert [window.frames for window in built] == plain
    assert [window.frames for window in detected] == plain
    offs = np.array([window.off for window in (*built, *detected)])
    assert np.abs(offs - UNDISTURBED).max() <= TOLERANCE, offs.round(3)
