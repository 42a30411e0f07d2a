"""The command lipfd detect: what it says before the checkpoint is opened, and its end by Ctrl-C."""

import contextlib
import os
import signal
from types import SimpleNamespace

import pytest

from lipfd_jax.commands import detect, detector_flags
from lipfd_jax.storage.errors import MachineError


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Parsed flags, and a checkpoint whose opening fails the test."""

    def open_in_background():
        raise AssertionError("the checkpoint is opened")

    flags = SimpleNamespace(
        output=str(tmp_path / "out"), sound=None, compare_sound=True, csv=False, checkpoint="nowhere",
        crop="auto", max_windows=3, refined=0, stride=0.0, audio_track=None, video_track=None,
    )  # fmt: skip
    monkeypatch.setattr(detector_flags.flags, "FLAGS", flags)
    monkeypatch.setattr(detector_flags, "open_in_background", open_in_background)
    (tmp_path / "a.mp4").touch()
    return flags


def _run(*names):
    with pytest.raises(SystemExit) as ended:
        detect.main(["lipfd detect", *map(str, names)])
    return str(ended.value)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("a.mp4", "a.mp4: can't be written to: it is a file, not a folder"),
        ("a.mp4/out", "a part of its path is a file"),
        ("/proc/x", "/proc/x: can't be written to"),
        ("gs://bucket/out", "an address; expected a folder on this machine"),
    ],
)
def test_an_output_that_can_not_be_written_is_said_before_the_checkpoint_is_opened(
    given, tmp_path, monkeypatch, output, reason
):
    monkeypatch.chdir(tmp_path)
    given.output = output
    message = _run(tmp_path / "a.mp4")
    assert message.startswith("error: ")
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", [OSError, MachineError])
def test_trouble_of_the_machine_names_the_way_on(given, tmp_path, monkeypatch, kind):
    def fail():
        raise kind("out/a/report.html: No space left on device")

    monkeypatch.setattr(detector_flags, "open_in_background", fail)
    message = _run(tmp_path / "a.mp4")
    assert "out/a/report.html" in message
    assert message.endswith("; fix that and run the same command again, finished videos are kept")


def test_what_is_not_taken_is_printed(given, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("x")
    given.output = str(tmp_path / "a.mp4")  # ends it
    _run(tmp_path)
    assert f"not taken: {tmp_path}/notes.txt: not a video: text" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["https://example.org/x.mp4", "", "nothing.mp4"])
def test_nothing_to_judge_leaves_nothing_behind(given, tmp_path, name):
    assert _run(name).startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_a_flag_among_the_names_is_said(given, tmp_path):
    assert "--csv: no such file; flags belong before the --" in _run(tmp_path / "a.mp4", "--csv")


def test_sound_at_an_address_is_refused(given, tmp_path):
    given.sound = "https://example.org/x.wav"
    assert "--sound=https://example.org/x.wav: files only" in _run(tmp_path / "a.mp4")


def test_an_interrupt_is_one_line_and_waits_for_no_thread(given, tmp_path, monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    ended = []
    monkeypatch.setattr(detector_flags, "open_in_background", interrupt)
    monkeypatch.setattr(os, "_exit", lambda code: ended.append(code) or _leave(code))
    with pytest.raises(SystemExit):
        detect.main(["lipfd detect", str(tmp_path / "a.mp4")])
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "interrupted; run the same command again to go on, finished videos are kept"
    assert ended == [130]


def test_an_interrupt_that_a_library_swallows_counts_too(given, tmp_path, monkeypatch):
    def swallow():
        with contextlib.suppress(KeyboardInterrupt):  # as JAX does on garbage collection
            signal.raise_signal(signal.SIGINT)
        return SimpleNamespace(close=str, raise_failure=str, wait=str, batch_size=1, predict=str)

    monkeypatch.setattr(detector_flags, "open_in_background", swallow)
    monkeypatch.setattr(os, "_exit", _leave)
    with pytest.raises(SystemExit) as ended:
        detect.main(["lipfd detect", str(tmp_path / "a.mp4")])
    assert ended.value.code == 130


def _leave(code):
    raise SystemExit(code)
