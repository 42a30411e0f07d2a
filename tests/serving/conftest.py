"""A server with a stand-in detector, so that what surrounds detection is tested without any."""

import threading

import pytest

from lipfd_jax.listing.clips import ClipError

HOME = "http://127.0.0.1:8000"
RAW = {"Content-Type": "application/octet-stream"}


class StandIn:
    """Goes by the file's content: bad fails, wait waits until it may go on, all else has no evidence."""

    def __init__(self):
        self.go, self.begun = threading.Event(), threading.Event()
        self.analysed, self.stopped = [], []

    def detect(self, video, name, told):
        said = video.read_bytes()
        self.begun.set()
        if said == b"wait":
            told("looking", 3.0, 12.0)
            assert self.go.wait(20)
        if said == b"bad":
            raise ClipError("damaged <b>")
        (video.parent / "report.html").write_text("<p>a report</p>")
        (video.parent / "result.json").write_text("{}")
        self.analysed.append(name)
        return "none"

    def stop(self, video):
        self.stopped.append(video)
        self.go.set()


class Served:
    """A running server: requests, its detector, its folder."""

    def __init__(self, client, detector, folder):
        self.client, self.detector, self.folder = client, detector, folder

    def upload(self, content, name="clip.mp4", **headers):
        return self.client.post("/api/videos", params={"name": name}, content=content, headers=RAW | headers)

    def state(self, key, *wanted):
        """The video once its state is among those wanted."""
        for _ in range(400):
            video = self.client.get(f"/api/videos/{key}").json()
            if video.get("state") in wanted:
                return video
            threading.Event().wait(0.01)
        raise AssertionError(f"still {video}")

    def left(self):
        """Names of what lies in the server's folder."""
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def serving(tmp_path):
    """serving(**limits): a running server."""
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    pytest.importorskip("httpx2", reason="starlette's test client needs httpx2")
    from starlette.testclient import TestClient

    from lipfd_jax.serving.access_control import AccessControl, list_allowed_hosts
    from lipfd_jax.serving.app import make_app
    from lipfd_jax.serving.jobs import Jobs
    from lipfd_jax.serving.limits import Limits
    from lipfd_jax.serving.page import DetectorDescription
    from lipfd_jax.serving.worker import Worker

    opened = []

    def start(**limits):
        made, detector = Limits(**limits), StandIn()
        folder = tmp_path / "work"
        folder.mkdir()
        app = make_app(
            Worker(Jobs(folder, made), detector), made, DetectorDescription("a detector", ("A note.",), True)
        )
        client = TestClient(AccessControl(app, list_allowed_hosts("127.0.0.1", 8000)), base_url=HOME)
        opened.append(client)
        client.__enter__()
        return Served(client, detector, folder)

    yield start
    for client in opened:
        client.__exit__(None, None, None)
