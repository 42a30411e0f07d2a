"""The page in a real browser: stretches play their piece of the video, and pages without one say so."""

import dataclasses
import shutil

import av
import pytest

from lipfd_jax.detection.detect import detect_video
from lipfd_jax.detection.report import write_page
from tests.browser import open_browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture
def pictures(grainy):
    """Real to 2 s, forged (bright) to 4 s, real to 6 s."""
    return grainy(60, 50) + grainy(240, 50) + grainy(60, 50)


@pytest.fixture
def detected(film, pictures, speech, tmp_path, model, one_face):
    return detect_video(model, film(tmp_path / "a.mp4", pictures, sound=speech[: 6 * 22050], rate=22050))


@pytest.fixture
def written(pictures, detected, tmp_path, model):
    """The path of a video, as a browser without patents plays it, beside its page; and its only stretch."""
    video = tmp_path / "out" / "a.webm"
    video.parent.mkdir()
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libvpx", rate=25, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height = 320, 240
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    write_page(video.parent / "report.html", detected, model, video)
    (stretch,) = [stretch for face in detected.result.faces for stretch in face.suspicions]
    return video, stretch


def test_a_stretch_plays_from_its_start_to_its_end(browser, written):
    video, stretch = written
    page = browser.new_page()
    page.goto((video.parent / "report.html").as_uri())
    page.click(".stretches .play")
    clip = page.locator(".stretches video")
    clip.wait_for(state="visible")
    assert stretch.start - 0.05 <= clip.evaluate("it => it.currentTime") < stretch.end
    clip.wait_for(state="hidden", timeout=20_000)
    assert clip.evaluate("it => it.currentTime") == pytest.approx(stretch.end, abs=0.3)
    assert page.is_visible(".stretches img")
    assert page.inner_text(".stretches .play") == "Play"
    assert page.is_hidden("#no-video")
    page.click(".stretches .play")
    page.click(".stretches [data-time]")  # the player above takes over
    clip.wait_for(state="hidden")
    assert page.evaluate("document.getElementById('video').currentTime") >= stretch.peak_time - 0.1


def test_a_video_that_begins_late_plays_by_the_files_clock(browser, written, model, detected):
    video, stretch = written
    later = detected.analysis.scan.times + 1.5
    scan = dataclasses.replace(detected.analysis.scan, times=later, end=detected.analysis.scan.end + 1.5)
    analysis = dataclasses.replace(detected.analysis, scan=scan, sound=None)
    write_page(video.parent / "late.html", dataclasses.replace(detected, analysis=analysis), model, video)
    page = browser.new_page()
    page.goto((video.parent / "late.html").as_uri())
    page.wait_for_selector("#video", state="visible")
    page.click(".stretches [data-time]")
    assert page.evaluate("document.getElementById('video').currentTime") >= stretch.peak_time + 1.4
    assert float(page.input_value("#moment")) == pytest.approx(stretch.peak_time, abs=0.5)


@pytest.mark.parametrize("change", ["away", "not a video"])
def test_without_a_video_to_play_times_and_stills_remain(browser, written, change):
    video, _ = written
    shutil.move(video, video.with_suffix(".gone"))
    if change == "not a video":
        video.write_bytes(b"AVI, say")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((video.parent / "report.html").as_uri())
    page.wait_for_timeout(500)
    assert page.is_visible("#no-video")
    assert page.is_hidden("#video")
    assert page.is_hidden(".stretches .play")
    assert page.is_visible(".stretches img")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
