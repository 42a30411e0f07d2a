"""Frames and sound of joined, damaged and unusual recordings stay in step, in builds and in detection."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipfd_jax.preprocessing.clock_reading import read_clock
from tests.coded import (
    TOLERANCE,
    UNDISTURBED,
    build_windows,
    detect_windows,
    draw_pictures,
    draw_sound,
    write_coded,
)
from tests.media_files import FORMS, Pictures, Sounds, join_files, join_ts, remove_time, write_streams

STEP = 0.04  # seconds between the frames of a window
_NEAREST = 0.031  # a frame of 20 a second is up to 25 ms away from where it is wanted, its code 5 ms more


def _parts(folder: Path, name: str, *, seconds=2.0, firsts=(0.0, 10.0), starts=(0.0, 0.0), **options):
    form = FORMS[name]
    return [
        write_coded(folder / f"{k}.{form.suffix}", seconds, form, first=first, start=start, **options)
        for k, (first, start) in enumerate(zip(firsts, starts, strict=True))
    ]


def _join(name: str, join: Callable = join_files, **options) -> Callable[[Path], Path]:
    return lambda folder: join(folder / f"joined.{FORMS[name].suffix}", _parts(folder, name, **options))


def _segments(folder: Path) -> Path:
    """Ten segments of half a second, each encoded on its own: its sound is longer than its frames."""
    firsts = np.arange(10) / 2
    parts = _parts(folder, "ts h264", seconds=0.5, firsts=firsts, starts=1 + firsts)
    return join_ts(folder / "joined.ts", parts)


def _restarting_segments(folder: Path) -> Path:
    parts = _parts(folder, "ts h264", seconds=0.52, firsts=np.arange(10) * 0.52, starts=np.zeros(10))
    return join_ts(folder / "joined.ts", parts)


def _advertisement(folder: Path) -> Path:
    """A recording that goes on after an advertisement with another clock."""
    parts = _parts(folder, "ts h264", firsts=(0.0, 10.0, 2.0), starts=(1.0, 100.0, 3.0))
    return join_ts(folder / "joined.ts", parts)


def _missing_time(number: int) -> Callable[[Path], Path]:
    return lambda folder: remove_time(write_coded(folder / "a.ts", 6.0, FORMS["ts h264"]), number % 150)


def _rate(fps: float, repeat: int = 1) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        count = round(3 * fps)
        frames = draw_pictures(np.arange(count) // repeat * repeat / fps)
        return write_streams(folder / "a.mp4", [Pictures(frames, None, fps), Sounds(draw_sound(count / fps))])

    return write


def _variable(folder: Path) -> Path:
    """Frames 17 to 50 ms apart, as phones record in changing light."""
    times = np.cumsum(np.random.default_rng(0).uniform(0.017, 0.050, 90))
    return write_coded(folder / "a.mp4", float(times[-1] - times[0]) + 0.04, times=times - times[0])


def _hole(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        times = np.concatenate([np.arange(45), np.arange(95, 150)]) / 25  # in the fifth of ten windows
        pictures = Pictures(draw_pictures(times), times)
        return write_streams(folder / f"a.{suffix}", [pictures, Sounds(draw_sound(6.0))], FORMS[suffix])

    return write


def _sound_changes(
    codec: str, rates=(48000, 48000), channels=(1, 1), anew: bool = False
) -> Callable[[Path], Path]:
    """Two recordings; the clock of the second goes on, or begins anew."""

    def write(folder: Path) -> Path:
        parts = []
        for k, (rate, count) in enumerate(zip(rates, channels, strict=True)):
            sound = np.tile(draw_sound(2.0, 2.0 * k, rate), (count, 1))
            start = 1 + 2.0 * k * (not anew)
            pictures = Pictures(draw_pictures(2.0 * k + np.arange(50) / 25), start=start)
            streams = [pictures, Sounds(sound, rate, start, codec)]
            parts.append(write_streams(folder / f"{k}.ts", streams, FORMS["ts h264"]))
        return join_ts(folder / "joined.ts", parts)

    return write


def _late_sound(name: str) -> Callable[[Path], Path]:
    form = FORMS[name]
    return lambda folder: write_coded(folder / f"a.{form.suffix}", 4.0, form, sound_start=1.5)


CASES = {
    "joined ts": _join("ts h264", join_ts),
    "joined ts of mpeg2": _join("ts mpeg2", join_ts),
    "joined mpg": _join("mpg mpeg2"),
    "joined mkv": _join("mkv"),
    "joined ts with a jump ahead": _join("ts h264", join_ts, starts=(0.0, 60.0)),
    "joined ts that overlap by 80 ms": _join("ts h264", join_ts, starts=(0.0, 2.0)),
    "segments": _segments,
    "segments that begin at 0": _restarting_segments,
    "advertisement": _advertisement,
    "first time missing": _missing_time(0),
    "one time missing": _missing_time(70),
    "last time missing": _missing_time(-1),
    "doubled frames": _rate(50, repeat=2),
    "29.97 fps": _rate(30000 / 1001),
    "23.976 fps": _rate(24000 / 1001),
    "50 fps": _rate(50),
    "60 fps": _rate(60),
    "variable rate": _variable,
    "hole in mp4": _hole("mp4"),
    "hole in mkv": _hole("mkv"),
    "AAC 48 to 24 kHz": _sound_changes("aac", rates=(48000, 24000)),
    "AAC 24 to 48 kHz": _sound_changes("aac", rates=(24000, 48000)),
    "AAC 44.1 to 48 kHz": _sound_changes("aac", rates=(44100, 48000)),
    "AAC 44.1 to 48 kHz, clock anew": _sound_changes("aac", rates=(44100, 48000), anew=True),
    "AAC 24 to 48 kHz, clock anew": _sound_changes("aac", rates=(24000, 48000), anew=True),
    "AAC mono to stereo": _sound_changes("aac", channels=(1, 2)),
    "MP2 mono to stereo": _sound_changes("mp2", channels=(1, 2)),
    "MP2 48 to 32 kHz": _sound_changes("mp2", rates=(48000, 32000)),
    "AC-3 5.1 to stereo": _sound_changes("ac3", channels=(6, 2)),
    "late sound in mp4": _late_sound("mp4"),
    "late sound in mkv": _late_sound("mkv"),
    "late sound in ts": _late_sound("ts h264"),
    "late sound in flv": _late_sound("flv h264"),
}


@pytest.mark.parametrize("reader", ["build", "detection"])
@pytest.mark.parametrize("name", [*CASES])
def test_frames_are_40_ms_apart_and_sound_is_in_step(tmp_path, name, reader):
    path = CASES[name](tmp_path)
    windows = build_windows(path) if reader == "build" else detect_windows(path)[0]
    heard = [window for window in windows if np.isfinite(window.sound) or reader == "detection"]
    assert len(heard) >= 4
    since = np.array([np.subtract(window.frames, window.frames[0]) for window in heard])
    whole = np.abs(since - STEP * np.arange(5)).max(axis=1) <= _NEAREST  # not over a joint of recordings
    assert whole.sum() >= 0.6 * len(whole), since
    offs = np.array([window.off for window, kept in zip(heard, whole, strict=True) if kept])
    assert np.abs(offs - UNDISTURBED).max() <= TOLERANCE, offs.round(3)


@pytest.mark.parametrize("name", ["ts h264", "mpg mpeg2"])
def test_sound_that_begins_in_the_second_recording_is_heard_there(tmp_path, name):
    form = FORMS[name]
    pictures = Pictures(draw_pictures(np.arange(75) / 25))
    mute = write_streams(tmp_path / f"mute.{form.suffix}", [pictures], form)
    second = write_coded(tmp_path / f"second.{form.suffix}", 3.0, form, first=10.0)
    path = join_files(tmp_path / f"joined.{form.suffix}", [mute, second])
    windows = detect_windows(path)[0]
    assert min(window.frames[0] for window in windows) >= 10
    offs = np.array([window.off for window in windows])
    assert np.abs(offs - UNDISTURBED).max() <= TOLERANCE, offs.round(3)


def test_an_impossible_last_time_cuts_no_video_off(tmp_path):
    times = np.arange(50) / 25
    times[-1] += 900
    pictures = Pictures(draw_pictures(np.arange(50) / 25), times)
    form = replace(FORMS["mp4"], options={"preset": "veryfast", "bf": "0"})
    path = write_streams(tmp_path / "a.mp4", [pictures, Sounds(draw_sound(2.0))], form)
    clock = read_clock(path)
    assert clock.promised > 900
    assert clock.missing == 0
    assert clock.video.end == pytest.approx(2.0, abs=0.01)


def test_a_file_appended_to_another_is_not_passed_over_in_silence(tmp_path):
    path = write_coded(tmp_path / "a.mp4", 3.0)
    assert read_clock(path).unread == 0
    path.write_bytes(path.read_bytes() * 2)
    assert read_clock(path).unread == pytest.approx(path.stat().st_size / 2, rel=0.1)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_no_window_spans_a_hole(tmp_path, suffix):
    path = _hole(suffix)(tmp_path)
    for windows in (build_windows(path), detect_windows(path)[0]):
        assert max(window.frames[-1] - window.frames[0] for window in windows) < 0.25
