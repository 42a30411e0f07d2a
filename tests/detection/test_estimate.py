"""The expected time counts what a video needs, and apart from it what suspicions add."""

from pathlib import Path

import pytest

from lipfd_jax.detection import estimate
from lipfd_jax.detection.detection_settings import Settings
from lipfd_jax.detection.window_selection import CLIP_SECONDS

CLIP = Path("clip.mp4")


@pytest.fixture(autouse=True)
def headers(monkeypatch):
    facts = {CLIP: (10.0, 224 * 224)}
    monkeypatch.setattr(estimate, "header_facts", lambda path: facts.get(path, (0.0, 0)))


def test_suspicions_add_their_windows():
    seconds, more, length = estimate.expected_seconds([CLIP, CLIP], Settings(refined=30), 2.0)
    assert length == 20
    assert more == pytest.approx(2 * 30 * 2.01)
    least = estimate.expected_seconds([CLIP], Settings(windows=1), 2.0)[0]
    assert seconds / 2 - least == pytest.approx((10 * 10 / CLIP_SECONDS - 1) * 2.01)


def test_full_coverage_has_nothing_to_add():
    assert estimate.expected_seconds([CLIP], Settings(stride=0.5), 2.0)[1] == 0
    assert "up to" not in estimate.expectation([CLIP], Settings(stride=0.5), 2.0)


def test_a_video_that_cannot_be_read_takes_no_time():
    assert estimate.expected_seconds([Path("absent.mp4")], Settings(), 2.0) == (0, 0, 0)


def test_the_line_says_both():
    found = estimate.expectation([CLIP], Settings(), 1.0)
    assert (
        found
        == "1 video of 10 s in all: expected to take about 28 s, up to 58 s where forgeries are suspected"
    )
