"""From upload to report in a real browser, with a tiny checkpoint: pages, policies, keyboard, leftovers."""

import dataclasses
import pathlib
import threading
import time

import pytest

from tests.browser import open_browser

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("webrtcvad", reason="the extra 'faces' is not installed")
pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>.mp4"


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    from flax import nnx

    from lipfd_jax import Detector
    from lipfd_jax.checkpoints.metadata import Metadata
    from lipfd_jax.checkpoints.store import save_model
    from lipfd_jax.models.inputs import PAPER
    from lipfd_jax.models.lipfd import LipFD, ModelConfig

    config = ModelConfig("vit_tiny", "resnet_tiny", dataclasses.replace(PAPER, picture_size=80, crop_size=32))
    path = tmp_path_factory.mktemp("checkpoint") / "tiny"
    weights = nnx.to_pure_dict(nnx.state(LipFD(config, rngs=nnx.Rngs(0))))
    save_model(path, weights, Metadata(model=config, window_convention="paper", origin="drawn"))
    return Detector.open(path, batch_size=2)


@pytest.fixture
def address(detector, tmp_path):
    """Of a running server, as `lipfd serve` has it."""
    import uvicorn

    from lipfd_jax.detection.detection_settings import DetectionSettings
    from lipfd_jax.serving import page, server
    from lipfd_jax.serving.app import make_app
    from lipfd_jax.serving.detecting import IsolatedDetector
    from lipfd_jax.serving.jobs import Jobs
    from lipfd_jax.serving.limits import Limits
    from lipfd_jax.serving.worker import Worker

    limits, place, folder = Limits(megabytes=5), server.Address(port=0), tmp_path / "work"
    folder.mkdir()
    isolated = IsolatedDetector(detector, DetectionSettings(max_windows=2, refined=0), limits)
    app = make_app(
        Worker(Jobs(folder, limits), isolated), limits, page.describe_detector(detector, local=True)
    )
    with server.open_socket(place) as listener:
        port = listener.getsockname()[1]
        running = uvicorn.Server(server.make_config(app, place, port))
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{port}/"
        running.should_exit = True
        thread.join(20)


@pytest.fixture
def page():
    """A page that fails the test on any error or complaint of the browser, and on any request elsewhere."""
    with open_browser() as browser:
        context = browser.new_context(viewport={"width": 390, "height": 844})
        complaints, asked = [], []
        context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("dialog", lambda dialog: complaints.append(dialog.message) or dialog.dismiss())
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.set_default_timeout(60_000)
        yield page
        home = page.url
    assert complaints == []
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []


def test_from_upload_to_report(page, address, media, tmp_path):
    bad = tmp_path / HOSTILE
    bad.write_bytes(b"no video")
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "files"  # the first thing that Tab reaches
    page.set_input_files("#files", [bad, media / "real" / "vox_00067.mp4"])
    expect = playwright.expect
    expect(page.locator(".video.failed .state")).to_contain_text("could not be judged", timeout=60_000)
    expect(page.locator(".video.failed .name")).to_have_text(HOSTILE)
    expect(page.locator(".video.done .state")).to_be_visible(timeout=60_000)
    assert page.locator(".video.done .caveat").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    with page.context.expect_page() as opened:
        page.click(".video.done .report")
    report = opened.value
    report.wait_for_load_state()
    expect(report.locator(".verdict .title")).to_have_text(page.locator(".video.done .state").inner_text())
    expect(report.locator(".file")).to_have_text("vox_00067.mp4")
    expect(report.locator("#video")).to_be_visible()  # it plays what was uploaded
    assert report.evaluate("self.origin") == "null"  # a sandbox, with no way to the API
    report.close()

    with page.expect_download() as saved:
        page.click(".video.done .save")
    assert saved.value.suggested_filename == "report.html"
    page.reload()
    expect(page.locator(".video.done")).to_have_count(1)  # still known after a reload
    work = tmp_path / "work"
    for _ in range(2):
        page.locator(".video .remove").first.press("Enter")
    expect(page.locator(".video")).to_have_count(0)
    deadline = time.monotonic() + 10
    while list(work.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(work.iterdir()) == []


def test_a_file_that_is_too_large_is_not_even_sent(page, address, tmp_path):
    large = pathlib.Path(tmp_path / "large.mp4")
    large.write_bytes(b"\0" * 5_000_001)
    page.goto(address)
    page.set_input_files("#files", large)
    playwright.expect(page.locator(".video .state")).to_contain_text("larger than the 5 MB")
    assert list((tmp_path / "work").iterdir()) == []


def test_videos_can_be_dropped(page, address):
    page.goto(address)
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["no video"], "dropped.mp4"));
          document.getElementById("drop").dispatchEvent(
            new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
        }"""
    )
    playwright.expect(page.locator(".video.failed .name")).to_have_text("dropped.mp4", timeout=60_000)
