"""Detection in a child process: a real video, crashing and endless processes, malformed messages."""

import json
import multiprocessing
import os
import re
import signal
import threading

import jsonschema
import numpy as np
import pytest

from lipfd_jax.checkpoints.metadata import Metadata
from lipfd_jax.detection.detection_settings import DetectionSettings
from lipfd_jax.detection.result import load_schema
from lipfd_jax.detection.texts import OUTCOMES
from lipfd_jax.listing.clips import ClipError
from lipfd_jax.models.lipfd import ModelConfig
from lipfd_jax.serving import protocol
from lipfd_jax.serving.detecting import IsolatedDetector
from lipfd_jax.serving.limits import Limits
from lipfd_jax.storage.errors import MachineError
from lipfd_jax.vocabulary import COMPOSITE_SHAPE

pytest.importorskip("webrtcvad", reason="the extra 'faces' is not installed")
NAME = "<b>mine</b>.mp4"
SETTINGS = DetectionSettings(crop="none", max_windows=3, refined=0)


class Model:
    """Scores by brightness, after doing something else on being asked."""

    def __init__(self, first=lambda: None):
        self.metadata = Metadata(ModelConfig(), window_convention="paper", origin="a stand-in")
        self.path, self.batch_size, self.fingerprint = "/secret/place", 2, "0123456789abcdef"
        self.first = first

    def predict(self, composites):
        self.first()
        assert composites.dtype == np.uint8
        scores = composites[:, 600:].mean(axis=(1, 2, 3)) / 255
        return np.float32(scores), np.full((len(composites), 5, 3), 1 / 3, np.float32)

    def saliency(self, composite):
        assert composite.shape == COMPOSITE_SHAPE
        return None


@pytest.fixture(scope="module")
def clip(film, tmp_path_factory):
    """Two seconds of bright pictures and of something like a voice, 220 Hz with a voice's pulse."""
    times = np.arange(44100) / 22050
    pulse = sum(np.sin(2 * np.pi * 140 * k * times) / k for k in range(1, 30))
    sound = 0.2 * pulse * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times))
    pictures = [np.full((96, 96, 3), 230 - 8 * (i % 3), np.uint8) for i in range(50)]
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return film(path, pictures, sound=sound, rate=22050).read_bytes()


@pytest.fixture
def video(clip, tmp_path):
    path = tmp_path / "video"
    path.write_bytes(clip)
    return path


def _quiet(*_):
    pass


def test_a_video_is_analysed_under_its_owner_s_name(video):
    told = []
    outcome = IsolatedDetector(Model(), SETTINGS, Limits()).detect(
        video, NAME, lambda *said: told.append(said)
    )
    result = json.loads((video.parent / "result.json").read_text())
    jsonschema.validate(result, load_schema())
    assert outcome == result["outcome"]
    assert result["evidence"]["score"] > 0.8
    assert len(result["faces"][0]["windows"]) == 3
    assert result["file"]["name"] == NAME
    assert result["command"] == ["lipfd", "serve"]
    assert "secret" not in json.dumps(result)
    page = (video.parent / "report.html").read_text()
    assert "&lt;b&gt;mine&lt;/b&gt;.mp4" in page
    assert NAME not in page
    assert str(video.parent) not in page
    assert 'src="video"' in page  # where the server has it
    assert {part for part, _, _ in told} == {"looking", "scoring", "writing"}


@pytest.mark.parametrize("content", [b"", b"a text", b"half"])
def test_what_is_no_video_is_refused_without_a_path_of_this_machine(video, clip, content):
    video.write_bytes(clip[: len(clip) // 2] if content == b"half" else content)
    with pytest.raises(ClipError) as refused:
        IsolatedDetector(Model(), SETTINGS, Limits()).detect(video, NAME, _quiet)
    assert str(video.parent) not in str(refused.value)


def test_a_long_video_is_refused(video):
    with pytest.raises(ClipError, match=r"lasts over 0\.01 minutes"):
        IsolatedDetector(Model(), SETTINGS, Limits(minutes=0.01)).detect(video, NAME, _quiet)


def test_a_process_that_dies_costs_its_own_video_only(video):
    detector = IsolatedDetector(
        Model(lambda: os.kill(detector._process.pid, signal.SIGKILL)), SETTINGS, Limits()
    )
    with pytest.raises((ClipError, MachineError), match="process that read"):
        detector.detect(video, NAME, _quiet)
    detector._detector.first = lambda: None
    assert detector.detect(video, NAME, _quiet) in OUTCOMES


def test_work_without_an_end_is_given_up(video):
    forever = threading.Event()
    detector = IsolatedDetector(Model(), SETTINGS, Limits(work_minutes=0.001))
    with pytest.raises(ClipError, match="given up"):
        detector.detect(video, NAME, lambda *_: forever.wait(0.2))


def test_another_may_stop_it(video):
    detector = IsolatedDetector(Model(), SETTINGS, Limits())

    def told(*_):
        detector.stop(video.with_name("another"))
        assert detector._process.is_alive()
        detector.stop(video)

    with pytest.raises(ClipError):
        detector.detect(video, NAME, told)


class SlowToStart:
    """Processes as multiprocessing has them, the first of which waits for something."""

    Pipe = staticmethod(multiprocessing.Pipe)

    def __init__(self):
        self.starting, self.go = threading.Event(), threading.Event()

    def Process(self, **_):
        return self

    def start(self):
        self.starting.set()
        self.go.wait(20)
        raise OSError("it did not start")


def test_who_stops_videos_does_not_wait_for_a_process_to_start(video):
    detector = IsolatedDetector(Model(), SETTINGS, Limits())
    detector._context = slow = SlowToStart()

    def detecting():
        with pytest.raises(OSError, match="did not start"):
            detector.detect(video, NAME, _quiet)

    threads = [threading.Thread(target=detecting), threading.Thread(target=detector.stop, args=(video,))]
    threads[0].start()
    assert slow.starting.wait(20)
    threads[1].start()
    threads[1].join(10)
    waits = threads[1].is_alive()
    slow.go.set()
    for thread in threads:
        thread.join(20)
    assert not waits


def test_a_failing_model_is_no_fault_of_the_file(video):
    def fail():
        raise RuntimeError("out of device memory")

    with pytest.raises(MachineError, match="out of device memory"):
        IsolatedDetector(Model(fail), SETTINGS, Limits()).detect(video, NAME, _quiet)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x80\x04\x95",  # a pickle's beginning
        b"[]",
        b"[" * 5000,
        b'{"kind": "shout"}',
        b'{"kind": "done", "text": 5}',
        b'{"kind": "predict", "count": "2"}',
        b'{"kind": "predict", "count": true}',
        b'{"kind": "progress", "text": "<script>", "done": 1}',
        b'{"kind": "progress", "text": "looking", "done": NaN}',
        b'{"kind": "progress", "text": "looking", "done": 1, "more": 1}',
    ],
)
def test_messages_that_are_none_of_ours(said):
    ours, theirs = multiprocessing.Pipe()
    theirs.send_bytes(said)
    with pytest.raises(protocol.ProtocolError):
        protocol.receive_message(ours)


def test_messages_are_bounded():
    ours, theirs = multiprocessing.Pipe()
    threading.Thread(target=theirs.send_bytes, args=(b" " * (1 << 17),), daemon=True).start()
    with pytest.raises(OSError, match=re.compile("bad message length", re.IGNORECASE)):
        protocol.receive_message(ours)
    for count in (0, -1, 3):
        with pytest.raises(protocol.ProtocolError):
            protocol.receive_composites(ours, count, 2)
    ours, theirs = multiprocessing.Pipe()
    theirs.send_bytes(b"short")
    with pytest.raises(protocol.ProtocolError):
        protocol.receive_composites(ours, 1, 2)
